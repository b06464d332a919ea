//! Lists of products: entries to be found by, and pages of what they lead to.

use std::collections::{BTreeSet, HashMap};

use dynamo::StoreError;
use kernel::{Currency, Limit, Money, ProductId};
use serde::{Deserialize, Serialize};

use super::{
    CatalogStore,
    list_query::{Condition, index_of, last_position, start_key},
    product_key,
};
use crate::domain::{Facet, Product, Search, Sort, fold, words_of};

/// Entries that one page reads at most when it leaves some out: about 150 KB,
/// 20 read units. A page that finds less than it should within this says where
/// the next one goes on.
const ENTRIES_READ_MAX: usize = 300;
/// Entries that are read at once when some are left out.
const ENTRIES_READ_AT_ONCE: usize = 100;
/// Characters of a name that products are ordered by; a sort key has 1,024
/// bytes, and a character up to four.
const NAME_KEY_LENGTH_MAX: usize = 200;

/// An entry. It has what can be filtered by in its list, and no more: a word's
/// list by everything, a tag's by category, a category's by price only.
#[derive(Serialize)]
pub(super) struct EntryItem {
    pk: String,
    sk: ProductId,
    list: String,
    by_price: String,
    by_name: String,
    amount: i64,
    currency: Currency,
    #[serde(
        with = "serde_dynamo::string_set",
        skip_serializing_if = "BTreeSet::is_empty"
    )]
    categories: BTreeSet<String>,
    #[serde(
        with = "serde_dynamo::string_set",
        skip_serializing_if = "BTreeSet::is_empty"
    )]
    tags: BTreeSet<String>,
    #[serde(
        with = "serde_dynamo::string_set",
        skip_serializing_if = "BTreeSet::is_empty"
    )]
    words: BTreeSet<String>,
}

/// The entries of a product: one for each list that it stands in.
pub(super) fn entries_of(product: &Product) -> Vec<EntryItem> {
    let words = words_of(product);
    let categories = || product.categories.iter().map(ToString::to_string).collect();
    let tags = || {
        product
            .tags
            .iter()
            .map(|tag| tag.as_str().to_owned())
            .collect()
    };
    let facets = Facet::of(product, &words);
    let entry = |facet: Facet| {
        let is_word = matches!(facet, Facet::Word(_));
        let list = list_key(&facet);
        EntryItem {
            pk: list.clone(),
            sk: product.id,
            list,
            by_price: price_key(product.price, product.id),
            by_name: name_key(&product.name, product.id),
            amount: product.price.minor(),
            currency: product.price.currency(),
            categories: match facet {
                Facet::Tag(_) | Facet::Word(_) => categories(),
                Facet::All | Facet::Category(_) => BTreeSet::new(),
            },
            tags: if is_word { tags() } else { BTreeSet::new() },
            words: if is_word {
                words.iter().cloned().collect()
            } else {
                BTreeSet::new()
            },
        }
    };
    facets.into_iter().map(entry).collect()
}

pub(super) fn list_key(facet: &Facet) -> String {
    format!("LIST#{facet}")
}

/// Amounts are compared within a currency; twelve digits hold the largest.
fn price_key(price: Money, id: ProductId) -> String {
    format!("{}#{:012}#{id}", price.currency().code(), price.minor())
}

/// The tab comes before every letter, so a name comes before its extensions.
fn name_key(name: &str, id: ProductId) -> String {
    let name: String = fold(name).chars().take(NAME_KEY_LENGTH_MAX).collect();
    format!("{name}\t{id}")
}

/// Where a page ends: an entry of its list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub(super) id: ProductId,
    /// Its sort key in the index, when it is read by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
}

/// A page of products.
#[derive(Debug)]
pub struct Found {
    /// The products, in order.
    pub products: Vec<Product>,
    /// Where the next page begins, when there may be more.
    pub next: Option<Position>,
}

impl Found {
    /// An empty page, after which there is nothing.
    pub const fn nothing() -> Self {
        Self {
            products: Vec::new(),
            next: None,
        }
    }
}

#[derive(Deserialize)]
struct Entry {
    sk: ProductId,
    by_price: String,
    by_name: String,
}

impl CatalogStore {
    /// A page of what a search finds, after a position. It costs half a unit a
    /// product and about one for its entries; with filters up to
    /// [`ENTRIES_READ_MAX`] entries, and then it may have fewer products than
    /// `limit` and still a next page.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find_products(
        &self,
        search: &Search,
        limit: Limit,
        after: Option<Position>,
    ) -> Result<Found, StoreError> {
        let page = usize::try_from(limit.get()).unwrap_or(1);
        let is_filtered = !Condition::of(search).filters.is_empty();
        let (mut found, mut read, mut start) = (Vec::new(), 0, after);
        let next = loop {
            // One more than the page tells whether there is a next one.
            let missing = page + 1 - found.len();
            let wanted = match is_filtered {
                true => missing.max(ENTRIES_READ_AT_ONCE),
                false => missing,
            };
            let (entries, last) = self.entries(search, start.take(), wanted).await?;
            found.extend(entries);
            read += wanted;
            if found.len() > page {
                found.truncate(page);
                break found.last().cloned();
            }
            match last {
                Some(last) if read < ENTRIES_READ_MAX => start = Some(last),
                last => break last,
            }
        };
        let products = self.in_order(&found).await?;
        Ok(Found { products, next })
    }

    /// Up to `count` entries of a search's list after a position, without
    /// those that its filters leave out; and where the reading ended, if not
    /// at the list's end.
    async fn entries(
        &self,
        search: &Search,
        after: Option<Position>,
        count: usize,
    ) -> Result<(Vec<Position>, Option<Position>), StoreError> {
        let condition = Condition::of(search);
        let output = self
            .table
            .client()
            .query()
            .table_name(self.table.name())
            .set_index_name(index_of(search.sort).map(|(index, _)| index.to_owned()))
            .key_condition_expression(condition.key)
            .set_filter_expression(
                Some(condition.filters.join(" AND ")).filter(|text| !text.is_empty()),
            )
            .set_expression_attribute_names(Some(condition.names).filter(|n| !n.is_empty()))
            .set_expression_attribute_values(Some(condition.values))
            .scan_index_forward(matches!(search.sort, Sort::PriceUp | Sort::Name))
            .limit(i32::try_from(count).unwrap_or(i32::MAX))
            .set_exclusive_start_key(after.map(|after| start_key(search, after)))
            .send()
            .await
            .map_err(|error| StoreError::call("Query", error))?;
        let position = |entry: Entry| Position {
            id: entry.sk,
            key: match search.sort {
                Sort::Newest => None,
                Sort::PriceUp | Sort::PriceDown => Some(entry.by_price),
                Sort::Name => Some(entry.by_name),
            },
        };
        let entries: Vec<Entry> = serde_dynamo::from_items(output.items.unwrap_or_default())?;
        let last = output.last_evaluated_key;
        let last = last
            .map(|key| last_position(search.sort, key))
            .transpose()?;
        Ok((entries.into_iter().map(position).collect(), last))
    }

    /// The products that entries lead to, in their order; without those that
    /// cannot be ordered.
    async fn in_order(&self, entries: &[Position]) -> Result<Vec<Product>, StoreError> {
        let keys = entries.iter().map(|entry| product_key(entry.id)).collect();
        let products: Vec<Product> = self.table.get_many(keys, false).await?;
        let mut by_id: HashMap<_, _> = products.into_iter().map(|p| (p.id, p)).collect();
        let product = |entry: &Position| by_id.remove(&entry.id).filter(|p| p.active);
        Ok(entries.iter().filter_map(product).collect())
    }
}
