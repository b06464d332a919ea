//! A partition, page by page.

use aws_sdk_dynamodb::types::AttributeValue;
use kernel::Limit;
use serde::de::DeserializeOwned;

use crate::{Key, StoreError, Table};

/// Which page of the items of a partition.
#[derive(Debug)]
pub struct PageOf<'a> {
    /// The partition.
    pub pk: String,
    /// How the items' sort keys begin.
    pub prefix: &'a str,
    /// The sort key of the last item of the page before.
    pub after: Option<String>,
    /// Items on it at most.
    pub limit: Limit,
    /// Whether the last come first.
    pub backwards: bool,
    /// Whether what was written just now has to be on it, at twice the price.
    pub consistent: bool,
}

impl Table {
    /// A page of a partition's items in the order of their sort keys, and
    /// whether there are more. Costs half a read unit for every 4 KB on it, a
    /// whole one when it is consistent.
    ///
    /// # Errors
    /// When the store fails or an item does not read.
    pub async fn page<T: DeserializeOwned>(
        &self,
        page: PageOf<'_>,
    ) -> Result<(Vec<T>, bool), StoreError> {
        let wanted = usize::try_from(page.limit.get()).unwrap_or(usize::MAX);
        let after = page.after.map(|sk| Key::new(page.pk.clone(), sk));
        let output = self
            .client()
            .query()
            .table_name(self.name())
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", AttributeValue::S(page.pk))
            .expression_attribute_values(":prefix", AttributeValue::S(page.prefix.to_owned()))
            .scan_index_forward(!page.backwards)
            .consistent_read(page.consistent)
            // One more than is shown tells whether there are more.
            .limit(i32::try_from(wanted + 1).unwrap_or(i32::MAX))
            .set_exclusive_start_key(after.map(Key::into_attributes))
            .send()
            .await
            .map_err(|error| StoreError::call("Query", error))?;
        let mut items: Vec<T> = serde_dynamo::from_items(output.items.unwrap_or_default())?;
        let more =
            items.len() > wanted || (output.last_evaluated_key.is_some() && !items.is_empty());
        items.truncate(wanted);
        Ok((items, more))
    }
}
