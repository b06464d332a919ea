//! Conditions and updates, with their names and values.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;

use crate::StoreError;

/// A condition, or an update under a condition.
#[derive(Debug, Default)]
pub struct Expression {
    pub(crate) update: Option<&'static str>,
    pub(crate) condition: Option<&'static str>,
    pub(crate) names: Option<HashMap<String, String>>,
    pub(crate) values: Option<HashMap<String, AttributeValue>>,
    /// The first value that did not serialise; returned by the write.
    pub(crate) fault: Option<StoreError>,
}

impl Expression {
    /// A condition alone: `attribute_exists(pk)`.
    pub fn when(condition: &'static str) -> Self {
        Self {
            condition: Some(condition),
            ..Self::default()
        }
    }

    /// An update: `SET stock = stock - :quantity`.
    pub fn update(update: &'static str) -> Self {
        Self {
            update: Some(update),
            ..Self::default()
        }
    }

    /// The condition of an update.
    #[must_use]
    pub fn only_when(mut self, condition: &'static str) -> Self {
        self.condition = Some(condition);
        self
    }

    /// What a `#name` stands for.
    #[must_use]
    pub fn name(mut self, placeholder: &str, attribute: &str) -> Self {
        self.names
            .get_or_insert_default()
            .insert(placeholder.into(), attribute.into());
        self
    }

    /// What a `:value` stands for.
    #[must_use]
    pub fn value(mut self, placeholder: &str, value: impl Serialize) -> Self {
        match serde_dynamo::to_attribute_value(value) {
            Ok(value) => {
                self.values
                    .get_or_insert_default()
                    .insert(placeholder.into(), value);
            }
            Err(error) => {
                self.fault.get_or_insert(error.into());
            }
        }
        self
    }

    /// A `:value` that is a set of one string, to add to a string set.
    #[must_use]
    pub fn string_set(mut self, placeholder: &str, values: Vec<String>) -> Self {
        self.values
            .get_or_insert_default()
            .insert(placeholder.into(), AttributeValue::Ss(values));
        self
    }
}
