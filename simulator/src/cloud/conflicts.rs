//! Transactions in flight. Two on one item cancel each other, and a write to an item of a
//! transaction in flight is refused (DynamoDB Developer Guide, "Transaction conflict
//! handling").

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};

use super::Reply;

/// The items of transactions in flight, by table and key.
#[derive(Debug, Default)]
pub struct InFlight(Arc<Mutex<BTreeMap<String, usize>>>);

/// Holds the items of a transaction until it is over.
#[derive(Debug)]
pub struct TransactionLock {
    keys: Vec<String>,
    in_flight: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Drop for TransactionLock {
    fn drop(&mut self) {
        let mut in_flight = self
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for key in &self.keys {
            in_flight.remove(key);
        }
    }
}

impl InFlight {
    /// Takes the items of a transaction, or refuses a write to items that another one
    /// holds.
    ///
    /// # Errors
    /// DynamoDB's reply to the conflict.
    pub fn enter(&self, operation: &str, body: &Value) -> Result<Option<TransactionLock>, Reply> {
        let keys = written(operation, body);
        let mut in_flight = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held: Vec<bool> = keys.iter().map(|key| in_flight.contains_key(key)).collect();
        if held.contains(&true) {
            return Err(conflict(operation, &held));
        }
        if operation != "TransactWriteItems" {
            return Ok(None);
        }
        for key in &keys {
            in_flight.insert(key.clone(), 1);
        }
        Ok(Some(TransactionLock {
            keys,
            in_flight: self.0.clone(),
        }))
    }
}

/// The items that a call writes or checks: their tables and keys.
pub(super) fn written_items(operation: &str, body: &Value) -> Vec<(String, Value)> {
    let one = |table: &Value, item: &Value| {
        let key = json!({"pk": item["pk"], "sk": item["sk"]});
        (table.as_str().unwrap_or_default().to_owned(), key)
    };
    match operation {
        "PutItem" => vec![one(&body["TableName"], &body["Item"])],
        "UpdateItem" | "DeleteItem" => vec![one(&body["TableName"], &body["Key"])],
        "TransactWriteItems" => {
            let actions = body["TransactItems"].as_array().into_iter().flatten();
            actions
                .filter_map(|action| action.as_object()?.values().next())
                .map(|action| {
                    let item = match action["Item"].is_null() {
                        true => &action["Key"],
                        false => &action["Item"],
                    };
                    one(&action["TableName"], item)
                })
                .collect()
        }
        "BatchWriteItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            tables
                .flat_map(|(table, writes)| {
                    let writes = writes.as_array().into_iter().flatten();
                    writes.map(|write| {
                        let put = &write["PutRequest"]["Item"];
                        let item = match put.is_null() {
                            true => &write["DeleteRequest"]["Key"],
                            false => put,
                        };
                        one(&Value::from(table.as_str()), item)
                    })
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The same as texts that tell them apart.
fn written(operation: &str, body: &Value) -> Vec<String> {
    let items = written_items(operation, body).into_iter();
    let texts = items.map(|(table, key)| format!("{table} {} {}", key["pk"]["S"], key["sk"]["S"]));
    texts.collect()
}

fn conflict(operation: &str, held: &[bool]) -> Reply {
    const PREFIX: &str = "com.amazonaws.dynamodb.v20120810#";
    const MESSAGE: &str = "Transaction is ongoing for the item";
    if operation != "TransactWriteItems" {
        let kind = format!("{PREFIX}TransactionConflictException");
        return Reply::error(400, &kind, MESSAGE);
    }
    let reasons: Vec<Value> = held
        .iter()
        .map(|held| match held {
            true => json!({"Code": "TransactionConflict", "Message": MESSAGE}),
            false => json!({"Code": "None"}),
        })
        .collect();
    let body = json!({
        "__type": format!("{PREFIX}TransactionCanceledException"),
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
        "CancellationReasons": reasons,
    });
    Reply::with_status(400, body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(pk: &str) -> Value {
        let key = json!({"pk": {"S": pk}, "sk": {"S": "s"}});
        json!({"TransactItems": [{"Update": {"TableName": "t", "Key": key}}]})
    }

    #[test]
    fn a_transaction_holds_its_items_until_it_is_over() {
        let in_flight = InFlight::default();
        let first = in_flight.enter("TransactWriteItems", &transaction("a"));
        assert!(first.as_ref().is_ok_and(Option::is_some));
        let conflicts = |operation, body: &Value| in_flight.enter(operation, body).is_err();
        assert!(conflicts("TransactWriteItems", &transaction("a")));
        assert!(!conflicts("TransactWriteItems", &transaction("b")));
        let put = json!({"TableName": "t", "Item": {"pk": {"S": "a"}, "sk": {"S": "s"}}});
        assert!(conflicts("PutItem", &put));
        drop(first);
        assert!(!conflicts("PutItem", &put));
    }
}
