//! A search as DynamoDB is asked: key conditions, filters and positions.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo::{Item, StoreError};
use kernel::ProductId;
use serde::Deserialize;

use super::{
    BY_NAME, BY_PRICE,
    listing::{Position, list_key},
};
use crate::domain::{Filters, PriceRange, Search, Sort, Tag};

/// The index that is read for an order, and the name of its sort key.
pub(super) const fn index_of(sort: Sort) -> Option<(&'static str, &'static str)> {
    match sort {
        Sort::Newest => None,
        Sort::PriceUp | Sort::PriceDown => Some((BY_PRICE, "by_price")),
        Sort::Name => Some((BY_NAME, "by_name")),
    }
}

pub(super) fn start_key(search: &Search, after: Position) -> Item {
    let list = list_key(&search.facet);
    let mut key = HashMap::from([
        ("pk".to_owned(), AttributeValue::S(list.clone())),
        ("sk".to_owned(), AttributeValue::S(after.id.to_string())),
    ]);
    if let (Some((_, sort)), Some(value)) = (index_of(search.sort), after.key) {
        key.insert("list".to_owned(), AttributeValue::S(list));
        key.insert(sort.to_owned(), AttributeValue::S(value));
    }
    key
}

pub(super) fn last_position(sort: Sort, key: Item) -> Result<Position, StoreError> {
    #[derive(Deserialize)]
    struct Last {
        sk: ProductId,
        by_price: Option<String>,
        by_name: Option<String>,
    }
    let last: Last = serde_dynamo::from_item(key)?;
    Ok(Position {
        id: last.sk,
        key: match sort {
            Sort::Newest => None,
            Sort::PriceUp | Sort::PriceDown => last.by_price,
            Sort::Name => last.by_name,
        },
    })
}

/// A search as DynamoDB is asked.
pub(super) struct Condition {
    pub(super) key: String,
    pub(super) filters: Vec<String>,
    pub(super) names: HashMap<String, String>,
    pub(super) values: HashMap<String, AttributeValue>,
}

impl Condition {
    pub(super) fn of(search: &Search) -> Self {
        let partition = if index_of(search.sort).is_some() {
            "list"
        } else {
            "pk"
        };
        let mut condition = Self {
            key: "#list = :list".to_owned(),
            filters: Vec::new(),
            names: HashMap::from([("#list".to_owned(), partition.to_owned())]),
            values: HashMap::new(),
        };
        condition.text(":list", list_key(&search.facet));
        let Filters {
            category,
            tag,
            words,
            price,
        } = &search.filters;
        if let Some(id) = category {
            condition.contains("categories", ":category", id.to_string());
        }
        if let Some(tag) = tag {
            condition.contains("tags", ":tag", Tag::as_str(tag).to_owned());
        }
        for (index, word) in words.iter().enumerate() {
            condition.contains("words", &format!(":word{index}"), word.clone());
        }
        match price {
            Some(range) if search.is_by_price() => condition.price_key(range),
            Some(range) => condition.price(range),
            None => {}
        }
        condition
    }

    fn text(&mut self, placeholder: &str, text: String) {
        self.values
            .insert(placeholder.to_owned(), AttributeValue::S(text));
    }

    fn contains(&mut self, attribute: &str, placeholder: &str, text: String) {
        self.names
            .insert(format!("#{attribute}"), attribute.to_owned());
        self.filters
            .push(format!("contains(#{attribute}, {placeholder})"));
        self.text(placeholder, text);
    }

    /// A range of a list that is ordered by price is read, and nothing else.
    fn price_key(&mut self, range: &PriceRange) {
        let code = range.currency.code();
        // `$` is what follows `#`: past every id of a price, and past every
        // price of a currency.
        let low = range.min.map(|min| format!("{min:012}"));
        let high = range.max.map(|max| format!("#{max:012}"));
        self.key.push_str(" AND by_price BETWEEN :low AND :high");
        self.text(":low", format!("{code}#{}", low.unwrap_or_default()));
        self.text(":high", format!("{code}{}$", high.unwrap_or_default()));
    }

    fn price(&mut self, range: &PriceRange) {
        self.names
            .insert("#currency".to_owned(), "currency".to_owned());
        self.filters.push("#currency = :currency".to_owned());
        self.text(":currency", range.currency.code().to_owned());
        for (bound, operator, placeholder) in [(range.min, ">=", ":min"), (range.max, "<=", ":max")]
        {
            let Some(minor) = bound else { continue };
            self.filters
                .push(format!("amount {operator} {placeholder}"));
            let value = AttributeValue::N(minor.to_string());
            self.values.insert(placeholder.to_owned(), value);
        }
    }
}
