//! Builds the DynamoDB query of a search.

use dynamo::Query;

use super::{BY_NAME, BY_PRICE, list_entries::list_key};
use crate::domain::{PriceRange, Search, Sort};

/// The query of a search, from the beginning of its list.
pub(super) struct ListQuery {
    query: Query,
    /// The conditions by which entries are left out.
    filters: Vec<String>,
}

impl ListQuery {
    pub(super) fn new(search: &Search) -> Self {
        let query = match search.sort {
            Sort::Newest => Query::table("#list = :list")
                .name("#list", "pk")
                .backwards(),
            Sort::PriceAscending => by_price(search),
            Sort::PriceDescending => by_price(search).backwards(),
            Sort::Name => Query::index(BY_NAME, "#list = :list").name("#list", "list"),
        };
        let mut list = Self {
            query: query.value(":list", list_key(&search.facet)),
            filters: Vec::new(),
        };
        let filters = &search.filters;
        if let Some(id) = &filters.category {
            list = list.contains("categories", ":category", &id.to_string());
        }
        if let Some(tag) = &filters.tag {
            list = list.contains("tags", ":tag", tag.as_str());
        }
        for (index, word) in filters.words.iter().enumerate() {
            list = list.contains("words", &format!(":word{index}"), word);
        }
        match &filters.price {
            Some(range) if !search.is_by_price() => list.within(range),
            _ => list,
        }
    }

    /// Whether some entries of the list are left out.
    pub(super) fn is_filtered(&self) -> bool {
        !self.filters.is_empty()
    }

    pub(super) fn into_query(self) -> Query {
        if self.filters.is_empty() {
            return self.query;
        }
        self.query.filter(self.filters.join(" AND "))
    }

    fn contains(mut self, attribute: &str, placeholder: &str, text: &str) -> Self {
        // Some attributes have reserved words as names.
        let name = format!("#{attribute}");
        self.filters
            .push(format!("contains({name}, {placeholder})"));
        self.query = self.query.name(&name, attribute).value(placeholder, text);
        self
    }

    fn within(mut self, range: &PriceRange) -> Self {
        self.filters.push("#currency = :currency".to_owned());
        self.query = self
            .query
            .name("#currency", "currency")
            .value(":currency", range.currency.code());
        for (bound, operator, placeholder) in [(range.min, ">=", ":min"), (range.max, "<=", ":max")]
        {
            if let Some(minor) = bound {
                let condition = format!("amount {operator} {placeholder}");
                self.filters.push(condition);
                self.query = self.query.value(placeholder, minor);
            }
        }
        self
    }
}

/// A price range is part of the key condition: nothing outside it is read.
fn by_price(search: &Search) -> Query {
    let Some(range) = &search.filters.price else {
        return Query::index(BY_PRICE, "#list = :list").name("#list", "list");
    };
    let code = range.currency.code();
    // `$` follows `#`, so it sorts after every product id at an amount, and
    // after every amount of a currency.
    let low = range.min.map(|min| format!("{min:012}"));
    let high = range.max.map(|max| format!("#{max:012}"));
    Query::index(
        BY_PRICE,
        "#list = :list AND by_price BETWEEN :low AND :high",
    )
    .name("#list", "list")
    .value(":low", format!("{code}#{}", low.unwrap_or_default()))
    .value(":high", format!("{code}{}$", high.unwrap_or_default()))
}
