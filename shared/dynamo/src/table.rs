//! A service's one table.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::{
        delete_item::DeleteItemError, put_item::PutItemError, update_item::UpdateItemError,
    },
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use runtime::{Environment, Error, Random, aws::Aws};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    CommitError, ConditionFailed, Expression, Query, StoreError, Transaction,
    transaction::ATTEMPTS_MAX,
};

/// An item as DynamoDB has it.
pub type Item = HashMap<String, AttributeValue>;

/// How long the connection may take to open at the start of a function; the
/// first request would take as long without it.
const WARM_UP_TIMEOUT: Duration = Duration::from_millis(800);
/// Sends a write again, bounded, while a transaction holds its item: the SDK
/// does not retry these itself.
macro_rules! through_conflicts {
    ($table:expr, $request:expr, $error:ident) => {{
        let mut attempt = 1;
        loop {
            match $request.clone().send().await {
                Err(SdkError::ServiceError(context))
                    if attempt < ATTEMPTS_MAX
                        && matches!(context.err(), $error::TransactionConflictException(_)) =>
                {
                    $table.back_off(attempt).await;
                    attempt += 1;
                }
                result => break result,
            }
        }
    }};
}

/// The key of an item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
}

impl Key {
    /// A key of both parts.
    pub fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self {
            pk: pk.into(),
            sk: sk.into(),
        }
    }

    /// The key of an item, if it has one.
    pub(crate) fn of(item: &Item) -> Option<Self> {
        let text = |name: &str| item.get(name)?.as_s().ok().cloned();
        Some(Self::new(text("pk")?, text("sk")?))
    }

    pub(crate) fn into_attributes(self) -> Item {
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(self.pk)),
            ("sk".to_owned(), AttributeValue::S(self.sk)),
        ])
    }
}

/// The indexes of a service's table; a test compares them with the template.
#[derive(Clone, Copy, Debug)]
pub struct TableSchema {
    /// Its indexes beside `unsent`, which every table has.
    pub indexes: &'static [Index],
}

/// A global secondary index.
#[derive(Clone, Copy, Debug)]
pub struct Index {
    /// Its name.
    pub name: &'static str,
    /// Its partition key, a string.
    pub partition: &'static str,
    /// Its sort key.
    pub sort: IndexKey,
    /// Whether it has the items' other attributes too.
    pub projects_all: bool,
}

/// The sort key of an index, by type.
#[derive(Clone, Copy, Debug)]
pub enum IndexKey {
    /// A string.
    Text(&'static str),
    /// A number.
    Number(&'static str),
}

/// A service's table.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: Arc<str>,
    random: Random,
}

impl Table {
    /// The table that the variable `TABLE` names, with its connection open.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn open(environment: &Environment) -> Result<Self, Error> {
        let client = Aws::from_environment(environment)?.dynamodb();
        let random = environment.host().random().clone();
        let table = Self::new(client, environment.require("TABLE")?, random);
        table.warm_up().await;
        Ok(table)
    }

    /// A table by its name; `random` is for tokens and jitter.
    pub fn new(client: Client, name: &str, random: Random) -> Self {
        Self {
            client,
            name: name.into(),
            random,
        }
    }

    /// The source of tokens and jitter.
    pub fn random(&self) -> &Random {
        &self.random
    }

    /// The client, for calls that only one service makes.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens the connection while the function starts, when it has a full
    /// processor. What it reads does not exist, and the result does not matter.
    async fn warm_up(&self) {
        let read = self.get_item(Key::new("-", "-"), false);
        let _ = tokio::time::timeout(WARM_UP_TIMEOUT, read).await;
    }

    /// An item, strongly consistent, as decisions need it.
    ///
    /// # Errors
    /// When the store fails or the item cannot be read.
    pub async fn get<T: DeserializeOwned>(&self, key: Key) -> Result<Option<T>, StoreError> {
        self.get_item(key, true)
            .await?
            .map(serde_dynamo::from_item)
            .transpose()
            .map_err(Into::into)
    }

    /// An item, eventually consistent at half the price, for display.
    ///
    /// # Errors
    /// When the store fails or the item cannot be read.
    pub async fn peek<T: DeserializeOwned>(&self, key: Key) -> Result<Option<T>, StoreError> {
        self.get_item(key, false)
            .await?
            .map(serde_dynamo::from_item)
            .transpose()
            .map_err(Into::into)
    }

    async fn get_item(&self, key: Key, consistent: bool) -> Result<Option<Item>, StoreError> {
        self.client
            .get_item()
            .table_name(&*self.name)
            .set_key(Some(key.into_attributes()))
            .consistent_read(consistent)
            .send()
            .await
            .map(|output| output.item)
            .map_err(|error| StoreError::call("GetItem", error))
    }

    /// The items of a partition whose sort keys begin with `prefix`, in order
    /// and strongly consistent, `limit` at most.
    ///
    /// # Errors
    /// When the store fails or an item cannot be read.
    pub async fn list<T: DeserializeOwned>(
        &self,
        pk: &str,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<T>, StoreError> {
        let query = Query::partition(pk, prefix).consistent();
        self.read_all(query, limit).await
    }

    /// Writes one item under a condition. A put that is repeated writes the same
    /// item, so a lost reply does no harm. When the condition fails, the error
    /// holds the existing item, which may come from your own earlier attempt.
    ///
    /// # Errors
    /// [`CommitError::ConditionFailed`] with label `item`, or the store's failure.
    pub async fn put<T: Serialize>(
        &self,
        item: &T,
        condition: Expression,
    ) -> Result<(), CommitError> {
        if let Some(fault) = condition.fault {
            return Err(fault.into());
        }
        let request = self
            .client
            .put_item()
            .table_name(&*self.name)
            .set_item(Some(serde_dynamo::to_item(item).map_err(StoreError::from)?))
            .set_condition_expression(condition.condition.map(str::to_owned))
            .set_expression_attribute_names(condition.names)
            .set_expression_attribute_values(condition.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let result = through_conflicts!(self, request, PutItemError);
        match result {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(context)) => match context.into_err() {
                PutItemError::ConditionalCheckFailedException(failed) => {
                    Err(ConditionFailed::one(failed.item).into())
                }
                error => Err(StoreError::call("PutItem", error).into()),
            },
            Err(error) => Err(StoreError::call("PutItem", error).into()),
        }
    }

    /// Updates one item, and returns it as it is then. The update must be safe
    /// to apply twice: the SDK repeats it when a reply is lost. One that is not
    /// (`stock = stock - :n`) goes into a [`Transaction`].
    ///
    /// # Errors
    /// [`CommitError::ConditionFailed`] with label `item`, or the store's failure.
    pub async fn update<T: DeserializeOwned>(
        &self,
        key: Key,
        expression: Expression,
    ) -> Result<T, CommitError> {
        if let Some(fault) = expression.fault {
            return Err(fault.into());
        }
        let request = self
            .client
            .update_item()
            .table_name(&*self.name)
            .set_key(Some(key.into_attributes()))
            .set_update_expression(expression.update.map(str::to_owned))
            .set_condition_expression(expression.condition.map(str::to_owned))
            .set_expression_attribute_names(expression.names)
            .set_expression_attribute_values(expression.values)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let result = through_conflicts!(self, request, UpdateItemError);
        match result {
            Ok(output) => {
                let item = output.attributes.unwrap_or_default();
                Ok(serde_dynamo::from_item(item).map_err(StoreError::from)?)
            }
            Err(SdkError::ServiceError(context)) => match context.into_err() {
                UpdateItemError::ConditionalCheckFailedException(failed) => {
                    Err(ConditionFailed::one(failed.item).into())
                }
                error => Err(StoreError::call("UpdateItem", error).into()),
            },
            Err(error) => Err(StoreError::call("UpdateItem", error).into()),
        }
    }

    /// Deletes one item under a condition.
    ///
    /// # Errors
    /// [`CommitError::ConditionFailed`] with label `item`, or the store's failure.
    pub async fn delete(&self, key: Key, condition: Expression) -> Result<(), CommitError> {
        if let Some(fault) = condition.fault {
            return Err(fault.into());
        }
        let request = self
            .client
            .delete_item()
            .table_name(&*self.name)
            .set_key(Some(key.into_attributes()))
            .set_condition_expression(condition.condition.map(str::to_owned))
            .set_expression_attribute_names(condition.names)
            .set_expression_attribute_values(condition.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let result = through_conflicts!(self, request, DeleteItemError);
        match result {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(context)) => match context.into_err() {
                DeleteItemError::ConditionalCheckFailedException(failed) => {
                    Err(ConditionFailed::one(failed.item).into())
                }
                error => Err(StoreError::call("DeleteItem", error).into()),
            },
            Err(error) => Err(StoreError::call("DeleteItem", error).into()),
        }
    }

    /// Begins a transaction.
    pub fn transaction(&self) -> Transaction {
        Transaction::new(self.clone())
    }
}
