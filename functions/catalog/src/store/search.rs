//! Reads pages of products that match a search.

use std::collections::HashMap;

use dynamo::{Item, StoreError};
use kernel::{Limit, ProductId};
use serde::{Deserialize, Serialize};

use super::{CatalogStore, list_entries::list_key, list_query::ListQuery, product_key};
use crate::domain::{Product, Search, Sort};

/// Entries that a filtered page reads at most: about 150 KB, 20 read units. A
/// page that finds too few among them ends early, and the next one goes on.
const ENTRIES_READ_MAX: usize = 300;
/// Entries that a filtered page reads at once.
const ENTRIES_READ_AT_ONCE: usize = 100;

/// Where a page ends: an entry of its list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    id: ProductId,
    /// The sort key in the index, if the search reads one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

#[derive(Debug)]
pub struct SearchPage {
    pub products: Vec<Product>,
    /// Where the next page begins, if there may be one.
    pub next: Option<Position>,
}

impl SearchPage {
    pub const fn empty() -> Self {
        Self {
            products: Vec::new(),
            next: None,
        }
    }
}

/// The key attributes of an entry, in the table and in its indexes.
#[derive(Serialize, Deserialize)]
struct EntryKey {
    pk: String,
    sk: ProductId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    list: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by_price: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by_name: Option<String>,
}

impl EntryKey {
    fn into_position(self, sort: Sort) -> Position {
        Position {
            id: self.sk,
            key: match sort {
                Sort::Newest => None,
                Sort::PriceAscending | Sort::PriceDescending => self.by_price,
                Sort::Name => self.by_name,
            },
        }
    }
}

impl Position {
    /// The key after which a query goes on: that of the table and, if the search
    /// reads an index, that of the index.
    fn into_start_key(self, search: &Search) -> Result<Item, StoreError> {
        let list = list_key(&search.facet);
        let by_price = self.key.clone().filter(|_| search.is_by_price());
        let by_name = self.key.filter(|_| search.sort == Sort::Name);
        Ok(serde_dynamo::to_item(EntryKey {
            pk: list.clone(),
            sk: self.id,
            list: (search.sort != Sort::Newest).then_some(list),
            by_price,
            by_name,
        })?)
    }
}

impl CatalogStore {
    /// Reads a page of the products that match a search. Costs half a read unit
    /// a product and about one for the entries. With filters it reads up to
    /// `ENTRIES_READ_MAX` entries, and then may have fewer products than
    /// `limit` although there is a next page.
    pub async fn search_products(
        &self,
        search: &Search,
        limit: Limit,
        after: Option<Position>,
    ) -> Result<SearchPage, StoreError> {
        let limit = usize::try_from(limit.get()).unwrap_or(1);
        let is_filtered = ListQuery::new(search).is_filtered();
        let (mut found, mut entries_read, mut start) = (Vec::new(), 0, after);
        let next = loop {
            // One more than the page has shows whether there is a next one.
            let missing = limit + 1 - found.len();
            let count = if is_filtered {
                missing.max(ENTRIES_READ_AT_ONCE)
            } else {
                missing
            };
            let (entries, last) = self.entries(search, start.take(), count).await?;
            found.extend(entries);
            entries_read += count;
            if found.len() > limit {
                found.truncate(limit);
                break found.last().cloned();
            }
            match last {
                Some(last) if entries_read < ENTRIES_READ_MAX => start = Some(last),
                last => break last,
            }
        };
        let products = self.listed_products(&found).await?;
        Ok(SearchPage { products, next })
    }

    /// Reads `count` entries and returns those that pass the filters, and the
    /// position after which to go on, if it is not the end of the list.
    async fn entries(
        &self,
        search: &Search,
        after: Option<Position>,
        count: usize,
    ) -> Result<(Vec<Position>, Option<Position>), StoreError> {
        let after = after
            .map(|after| after.into_start_key(search))
            .transpose()?;
        let query = ListQuery::new(search).into_query().after(after);
        let output = self.table.query::<EntryKey>(query, count).await?;
        let position = |entry: EntryKey| entry.into_position(search.sort);
        let last: Option<EntryKey> = output.last_key.map(serde_dynamo::from_item).transpose()?;
        let entries = output.items.into_iter().map(position).collect();
        Ok((entries, last.map(position)))
    }

    /// Reads the products of entries, in their order, without inactive ones.
    async fn listed_products(&self, entries: &[Position]) -> Result<Vec<Product>, StoreError> {
        let keys = entries.iter().map(|entry| product_key(entry.id)).collect();
        let products: Vec<Product> = self.table.get_many(keys, false).await?;
        let mut by_id: HashMap<_, _> = products.into_iter().map(|p| (p.id, p)).collect();
        let product = |entry: &Position| by_id.remove(&entry.id).filter(|p| p.active);
        Ok(entries.iter().filter_map(product).collect())
    }
}
