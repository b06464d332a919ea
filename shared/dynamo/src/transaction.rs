//! Transactions that say which condition failed.

use std::{fmt, time::Duration};

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        CancellationReason, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure,
        TransactWriteItem, Update,
    },
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Expression, Item, Key, StoreError, Table, attempts::back_off};

/// Attempts of a write that meets others on the same items. The SDK does not
/// retry these itself.
pub(crate) const ATTEMPTS_MAX: u32 = 8;
/// The longest wait before the first repetition; it doubles with each next one.
const BACK_OFF: Duration = Duration::from_millis(20);
/// Doublings of that wait.
const DOUBLINGS_MAX: u32 = 5;

impl Table {
    /// Waits before the attempt after `attempt`, with full jitter, so that
    /// those who met do not meet again.
    pub(crate) async fn back_off(&self, attempt: u32) {
        back_off(self.random(), BACK_OFF, (attempt - 1).min(DOUBLINGS_MAX)).await;
    }
}

/// Writes that happen all together or not at all. Each has a label, by which a
/// condition that failed is told from the others.
///
/// All attempts have one client request token, so a repetition after a lost
/// reply (within ten minutes) is the same transaction and not a second one.
pub struct Transaction {
    table: Table,
    writes: Vec<(&'static str, TransactWriteItem)>,
    fault: Option<StoreError>,
}

/// Why a transaction, or a conditional write, did not happen.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A condition failed.
    #[error(transparent)]
    ConditionFailed(#[from] ConditionFailed),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What came of one attempt of a transaction without a failed condition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// It happened.
    Committed,
    /// It did not happen, unless an attempt landed whose reply was lost. Others were
    /// writing these of its items: the positions of their writes, in the order in which
    /// they were added; none if it was throttled.
    Conflict(Vec<usize>),
}

/// The conditions that failed, with the items that made them fail.
#[derive(Debug)]
pub struct ConditionFailed(Vec<(&'static str, Option<Item>)>);

impl ConditionFailed {
    pub(crate) fn one(item: Option<Item>) -> Self {
        Self(vec![("item", item)])
    }

    /// Whether the condition of that write failed.
    pub fn includes(&self, label: &str) -> bool {
        self.0.iter().any(|(failed, _)| *failed == label)
    }

    /// The item that made the condition of that write fail.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn item<T: DeserializeOwned>(&self, label: &str) -> Result<Option<T>, StoreError> {
        let item = self.0.iter().find(|(failed, _)| *failed == label);
        let item = item.and_then(|(_, item)| item.clone());
        Ok(item.map(serde_dynamo::from_item).transpose()?)
    }
}

impl fmt::Display for ConditionFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<_> = self.0.iter().map(|(label, _)| *label).collect();
        write!(f, "the condition of {} failed", labels.join(", "))
    }
}

impl std::error::Error for ConditionFailed {}

impl Transaction {
    pub(crate) fn new(table: Table) -> Self {
        Self {
            table,
            writes: Vec::new(),
            fault: None,
        }
    }

    /// Puts a new item: its condition fails when there is one with the key.
    #[must_use]
    pub fn insert<T: Serialize>(self, label: &'static str, item: &T) -> Self {
        self.put(label, item, Expression::when("attribute_not_exists(pk)"))
    }

    /// Puts an item under a condition.
    #[must_use]
    pub fn put<T: Serialize>(
        mut self,
        label: &'static str,
        item: &T,
        condition: Expression,
    ) -> Self {
        let item = serde_dynamo::to_item(item).map_err(StoreError::from);
        let write = item.and_then(|item| {
            let put = Put::builder()
                .table_name(self.table.name())
                .set_item(Some(item))
                .set_condition_expression(condition.condition.map(str::to_owned))
                .set_expression_attribute_names(condition.names)
                .set_expression_attribute_values(condition.values)
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                )
                .build()
                .map_err(|error| StoreError::call("TransactWriteItems", error))?;
            Ok(TransactWriteItem::builder().put(put).build())
        });
        self.add(label, condition.fault, write);
        self
    }

    /// Updates an item under a condition.
    #[must_use]
    pub fn update(mut self, label: &'static str, key: Key, expression: Expression) -> Self {
        let write = Update::builder()
            .table_name(self.table.name())
            .set_key(Some(key.into_attributes()))
            .set_update_expression(expression.update.map(str::to_owned))
            .set_condition_expression(expression.condition.map(str::to_owned))
            .set_expression_attribute_names(expression.names)
            .set_expression_attribute_values(expression.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map(|update| TransactWriteItem::builder().update(update).build())
            .map_err(|error| StoreError::call("TransactWriteItems", error));
        self.add(label, expression.fault, write);
        self
    }

    /// Requires a condition of an item without changing it.
    #[must_use]
    pub fn check(mut self, label: &'static str, key: Key, condition: Expression) -> Self {
        let write = ConditionCheck::builder()
            .table_name(self.table.name())
            .set_key(Some(key.into_attributes()))
            .condition_expression(condition.condition.unwrap_or("attribute_exists(pk)"))
            .set_expression_attribute_names(condition.names)
            .set_expression_attribute_values(condition.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map(|check| TransactWriteItem::builder().condition_check(check).build())
            .map_err(|error| StoreError::call("TransactWriteItems", error));
        self.add(label, condition.fault, write);
        self
    }

    /// Deletes an item under a condition.
    #[must_use]
    pub fn delete(mut self, label: &'static str, key: Key, condition: Expression) -> Self {
        let write = Delete::builder()
            .table_name(self.table.name())
            .set_key(Some(key.into_attributes()))
            .set_condition_expression(condition.condition.map(str::to_owned))
            .set_expression_attribute_names(condition.names)
            .set_expression_attribute_values(condition.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map(|delete| TransactWriteItem::builder().delete(delete).build())
            .map_err(|error| StoreError::call("TransactWriteItems", error));
        self.add(label, condition.fault, write);
        self
    }

    pub(crate) fn with_fault(mut self, fault: StoreError) -> Self {
        self.fault.get_or_insert(fault);
        self
    }

    fn add(
        &mut self,
        label: &'static str,
        fault: Option<StoreError>,
        write: Result<TransactWriteItem, StoreError>,
    ) {
        match (fault, write) {
            (None, Ok(write)) => self.writes.push((label, write)),
            (Some(fault), _) | (None, Err(fault)) => {
                self.fault.get_or_insert(fault);
            }
        }
    }

    /// Makes the writes; attempts them again, bounded, while others write the
    /// same items.
    ///
    /// # Errors
    /// [`CommitError::ConditionFailed`], or the store's failure.
    pub async fn commit(self) -> Result<(), CommitError> {
        if let Some(fault) = self.fault {
            return Err(fault.into());
        }
        let (labels, writes): (Vec<_>, Vec<_>) = self.writes.into_iter().unzip();
        // One token for all attempts: if an earlier one went through after all,
        // DynamoDB says so again instead of doing it again.
        let token = self.table.random().uuid().to_string();
        for attempt in 1..=ATTEMPTS_MAX {
            match attempt_once(&self.table, &token, &labels, writes.clone()).await? {
                Attempted::Committed => return Ok(()),
                Attempted::InProgress | Attempted::Conflict(_) => {}
                // The SDK has repeated it already.
                Attempted::Throttled(error) => return Err(error.into()),
            }
            if attempt < ATTEMPTS_MAX {
                self.table.back_off(attempt).await;
            }
        }
        Err(contended(ATTEMPTS_MAX).into())
    }

    /// Makes the writes once, for whoever has something better to do about a
    /// conflict than to repeat them.
    ///
    /// # Errors
    /// [`CommitError::ConditionFailed`], or the store's failure: then it may
    /// have happened.
    pub async fn commit_once(self) -> Result<Outcome, CommitError> {
        if let Some(fault) = self.fault {
            return Err(fault.into());
        }
        let (labels, writes): (Vec<_>, Vec<_>) = self.writes.into_iter().unzip();
        let token = self.table.random().uuid().to_string();
        match attempt_once(&self.table, &token, &labels, writes).await? {
            Attempted::Committed => Ok(Outcome::Committed),
            Attempted::Conflict(positions) => Ok(Outcome::Conflict(positions)),
            // Which of its items is to blame, if one is, the reply does not say.
            Attempted::Throttled(_) => Ok(Outcome::Conflict(Vec::new())),
            // The SDK repeated a call whose first attempt has not ended.
            Attempted::InProgress => Err(contended(1).into()),
        }
    }
}

const OPERATION: &str = "TransactWriteItems";

/// The codes of a call that was refused because there were too many.
const THROTTLED: [&str; 3] = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
];

enum Attempted {
    Committed,
    InProgress,
    Conflict(Vec<usize>),
    Throttled(StoreError),
}

fn contended(attempts: u32) -> StoreError {
    StoreError::Contended {
        operation: OPERATION,
        attempts,
    }
}

async fn attempt_once(
    table: &Table,
    token: &str,
    labels: &[&'static str],
    writes: Vec<TransactWriteItem>,
) -> Result<Attempted, CommitError> {
    let sent = table
        .client()
        .transact_write_items()
        .client_request_token(token)
        .set_transact_items(Some(writes))
        .send();
    let error = match sent.await {
        Ok(_) => return Ok(Attempted::Committed),
        Err(SdkError::ServiceError(context)) => context.into_err(),
        Err(error) => return Err(StoreError::call(OPERATION, error).into()),
    };
    match error {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            let reasons = cancelled.cancellation_reasons.unwrap_or_default();
            if let Some(failed) = failed_conditions(labels, &reasons) {
                return Err(failed.into());
            }
            if !reasons.iter().any(is_transient) {
                let text = format!("cancelled: {reasons:?}");
                return Err(StoreError::call(OPERATION, text).into());
            }
            let positions = reasons.iter().enumerate();
            let positions = positions.filter(|(_, one)| one.code() == Some("TransactionConflict"));
            Ok(Attempted::Conflict(positions.map(|(at, _)| at).collect()))
        }
        TransactWriteItemsError::TransactionInProgressException(_) => Ok(Attempted::InProgress),
        error if error.code().is_some_and(|code| THROTTLED.contains(&code)) => {
            Ok(Attempted::Throttled(StoreError::call(OPERATION, error)))
        }
        error => Err(StoreError::call(OPERATION, error).into()),
    }
}

/// The conditions that failed, if any did.
fn failed_conditions(
    labels: &[&'static str],
    reasons: &[CancellationReason],
) -> Option<ConditionFailed> {
    let failed: Vec<_> = labels
        .iter()
        .zip(reasons)
        .filter(|(_, reason)| reason.code() == Some("ConditionalCheckFailed"))
        .map(|(label, reason)| (*label, reason.item.clone()))
        .collect();
    if failed.is_empty() {
        None
    } else {
        Some(ConditionFailed(failed))
    }
}

/// Whether another attempt may succeed.
fn is_transient(reason: &CancellationReason) -> bool {
    matches!(
        reason.code(),
        Some("TransactionConflict" | "ProvisionedThroughputExceeded" | "ThrottlingError")
    )
}
