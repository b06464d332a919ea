//! Queries: the items of a partition of the table or of an index, in order.

use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::Select};
use kernel::Limit;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Expression, Item, Key, StoreError, Table};

const OPERATION: &str = "Query";

/// Which items to read, and in which order.
#[derive(Debug)]
pub struct Query {
    index: Option<&'static str>,
    condition: Expression,
    filter: Option<String>,
    backwards: bool,
    consistent: bool,
    after: Option<Item>,
}

impl Query {
    fn new(index: Option<&'static str>, condition: &'static str) -> Self {
        Self {
            index,
            condition: Expression::when(condition),
            filter: None,
            backwards: false,
            consistent: false,
            after: None,
        }
    }

    /// The items of the table that a key condition selects.
    pub fn table(condition: &'static str) -> Self {
        Self::new(None, condition)
    }

    /// The items of an index that a key condition selects.
    pub fn index(name: &'static str, condition: &'static str) -> Self {
        Self::new(Some(name), condition)
    }

    /// The items of a partition whose sort keys begin with `prefix`. DynamoDB refuses an
    /// empty text as part of a key condition, so without a prefix there is none.
    pub fn partition(pk: &str, prefix: &str) -> Self {
        if prefix.is_empty() {
            return Self::table("pk = :pk").value(":pk", pk);
        }
        Self::table("pk = :pk AND begins_with(sk, :prefix)")
            .value(":pk", pk)
            .value(":prefix", prefix)
    }

    /// What a `:value` of the conditions stands for.
    #[must_use]
    pub fn value(mut self, placeholder: &str, value: impl Serialize) -> Self {
        self.condition = self.condition.value(placeholder, value);
        self
    }

    /// What a `#name` of the conditions stands for.
    #[must_use]
    pub fn name(mut self, placeholder: &str, attribute: &str) -> Self {
        self.condition = self.condition.name(placeholder, attribute);
        self
    }

    /// Leaves out items that this condition does not hold for. They cost as
    /// much as those that are returned, so only [`Table::query`] and
    /// [`Table::count`], which bound what they read, take a filter.
    #[must_use]
    pub fn filter(mut self, condition: String) -> Self {
        self.filter = Some(condition);
        self
    }

    /// Reads the last items first.
    #[must_use]
    pub fn backwards(mut self) -> Self {
        self.backwards = true;
        self
    }

    /// Includes all that was written before, at twice the price. Not for an index.
    #[must_use]
    pub fn consistent(mut self) -> Self {
        self.consistent = true;
        self
    }

    /// Begins after the item with this key: in an index, the key of the table
    /// and that of the index.
    #[must_use]
    pub fn after(mut self, key: Option<Item>) -> Self {
        self.after = key;
        self
    }

    fn request(&self, table: &Table, after: Option<Item>) -> QueryFluentBuilder {
        table
            .client()
            .query()
            .table_name(table.name())
            .set_index_name(self.index.map(str::to_owned))
            .set_key_condition_expression(self.condition.condition.map(str::to_owned))
            .set_filter_expression(self.filter.clone())
            .set_expression_attribute_names(self.condition.names.clone())
            .set_expression_attribute_values(self.condition.values.clone())
            .scan_index_forward(!self.backwards)
            .consistent_read(self.consistent)
            .set_exclusive_start_key(after)
    }

    fn checked(mut self) -> Result<Self, StoreError> {
        self.condition.fault.take().map_or(Ok(self), Err)
    }
}

impl Key {
    /// The key as [`Query::after`] takes it.
    pub fn into_item(self) -> Item {
        self.into_attributes()
    }
}

/// What one call of a query returned.
#[derive(Debug)]
pub struct QueryOutput<T> {
    /// The items.
    pub items: Vec<T>,
    /// The key after which to go on, if the partition may have more.
    pub last_key: Option<Item>,
}

impl Table {
    /// Makes one call that reads `limit` items at most, those that a filter
    /// leaves out among them. Costs half a read unit for every 4 KB read, twice
    /// that when it is consistent.
    ///
    /// # Errors
    /// When the store fails or an item cannot be read.
    pub async fn query<T: DeserializeOwned>(
        &self,
        query: Query,
        limit: usize,
    ) -> Result<QueryOutput<T>, StoreError> {
        let mut query = query.checked()?;
        let after = query.after.take();
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let sent = query.request(self, after).limit(limit).send().await;
        let output = sent.map_err(|error| StoreError::call(OPERATION, error))?;
        Ok(QueryOutput {
            items: serde_dynamo::from_items(output.items.unwrap_or_default())?,
            last_key: output.last_evaluated_key,
        })
    }

    /// Reads up to `limit` items, in as many calls as that takes, and whether
    /// there are more.
    ///
    /// # Errors
    /// When the store fails or an item cannot be read.
    pub async fn page<T: DeserializeOwned>(
        &self,
        query: Query,
        limit: Limit,
    ) -> Result<(Vec<T>, bool), StoreError> {
        let wanted = usize::try_from(limit.get()).unwrap_or(usize::MAX);
        // One more than the page has shows whether there are more.
        let mut items = self.read(query, wanted.saturating_add(1)).await?;
        let has_more = items.len() > wanted;
        items.truncate(wanted);
        Ok((serde_dynamo::from_items(items)?, has_more))
    }

    /// Reads items in as many calls as it takes, `most` of them at most.
    ///
    /// # Errors
    /// When the store fails or an item cannot be read.
    pub async fn read_all<T: DeserializeOwned>(
        &self,
        query: Query,
        most: usize,
    ) -> Result<Vec<T>, StoreError> {
        Ok(serde_dynamo::from_items(self.read(query, most).await?)?)
    }

    async fn read(&self, query: Query, most: usize) -> Result<Vec<Item>, StoreError> {
        debug_assert!(query.filter.is_none(), "a filtered read has no bound");
        let mut query = query.checked()?;
        let (mut items, mut after) = (Vec::new(), query.after.take());
        while items.len() < most {
            let missing = i32::try_from(most - items.len()).unwrap_or(i32::MAX);
            let sent = query.request(self, after).limit(missing).send().await;
            let output = sent.map_err(|error| StoreError::call(OPERATION, error))?;
            items.extend(output.items.unwrap_or_default());
            after = output.last_evaluated_key;
            if after.is_none() {
                break;
            }
        }
        Ok(items)
    }

    /// Counts items in `calls_max` calls at most, each of which counts about 1 MB
    /// of them: where there are more, the result is a lower bound.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn count(&self, query: Query, calls_max: usize) -> Result<u32, StoreError> {
        let mut query = query.checked()?;
        let (mut count, mut after) = (0, query.after.take());
        for _ in 0..calls_max {
            let request = query.request(self, after).select(Select::Count);
            let sent = request.send().await;
            let output = sent.map_err(|error| StoreError::call(OPERATION, error))?;
            count += u32::try_from(output.count).unwrap_or_default();
            after = output.last_evaluated_key;
            if after.is_none() {
                break;
            }
        }
        Ok(count)
    }
}
