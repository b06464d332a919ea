//! Others who write the same items at the same time, which the embedded DynamoDB
//! does not have.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::dynamo_proxy::{DynamoCall, Fate};

/// Refuses transactions, because others are writing some of their items.
#[derive(Clone, Debug, Default)]
pub struct Conflicts(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What the partition keys of contended items begin with.
    contended: Option<String>,
    /// Transactions that are still to be refused.
    left: usize,
    refused: usize,
}

impl Conflicts {
    /// From now on, refuses so many transactions that write an item whose
    /// partition key begins with `prefix`.
    pub fn refuse(&self, prefix: &str, transactions: usize) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.contended = Some(prefix.to_owned());
        state.left = transactions;
    }

    /// How many were refused.
    pub fn refused(&self) -> usize {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .refused
    }

    pub(crate) fn of(&self, call: &DynamoCall) -> Fate {
        if call.operation != "TransactWriteItems" {
            return Fate::Answered;
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(prefix), 1..) = (&state.contended, state.left) else {
            return Fate::Answered;
        };
        let body: Value = serde_json::from_str(&call.body).expect("a transaction");
        let writes = body["TransactItems"].as_array().expect("its writes");
        let reasons: Vec<Value> = writes
            .iter()
            .map(|write| match partition(write).starts_with(prefix) {
                true => json!({ "Code": "TransactionConflict" }),
                false => json!({ "Code": "None" }),
            })
            .collect();
        if !reasons
            .iter()
            .any(|reason| reason["Code"] == "TransactionConflict")
        {
            return Fate::Answered;
        }
        state.left -= 1;
        state.refused += 1;
        Fate::Refused(
            json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "Message": "Transaction cancelled",
                "CancellationReasons": reasons,
            })
            .to_string(),
        )
    }
}

fn partition(write: &Value) -> &str {
    let action = write.as_object().and_then(|write| write.values().next());
    let action = action.expect("an action");
    let key = match &action["Key"] {
        Value::Null => &action["Item"],
        key => key,
    };
    key["pk"]["S"].as_str().expect("a partition key")
}

/// Somebody who changes numbers of an item right before every transaction that
/// writes it.
#[derive(Clone, Debug, Default)]
pub struct Interleaved(Arc<Mutex<Others>>);

#[derive(Debug, Default)]
struct Others {
    /// The partition key of the item, and the UpdateItem.
    update: Option<(String, String)>,
    made: usize,
}

impl Interleaved {
    /// From now on, makes an `UpdateItem` (its JSON) before each transaction that
    /// writes the item with this partition key.
    pub fn update_before_writes(&self, pk: &str, update: &Value) {
        let mut others = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        others.update = Some((pk.to_owned(), update.to_string()));
    }

    /// From now on, does nothing.
    pub fn stop(&self) {
        let mut others = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        others.update = None;
    }

    /// How many updates it has made.
    pub fn made(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).made
    }

    pub(crate) fn of(&self, call: &DynamoCall) -> Fate {
        let mut others = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &others.update {
            Some((pk, update))
                if call.operation == "TransactWriteItems" && call.body.contains(pk) =>
            {
                let update = update.clone();
                others.made += 1;
                Fate::Overtaken(update)
            }
            _ => Fate::Answered,
        }
    }
}
