//! DynamoDB: the embedded one, and what it lacks. Two transactions that are in flight on
//! one item cancel each other, and a write to an item of a transaction in flight is
//! refused (DynamoDB Developer Guide, "Transaction conflict handling").

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use dynoxide::{
    Database as Engine, DynoxideError,
    actions::{get_records::GetRecordsRequest, get_shard_iterator::GetShardIteratorRequest},
    storage_backend::Clock as EngineClock,
};
use local::template::Table;
use runtime::Clock;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Reply;

/// The most records that one read of a stream returns.
const RECORDS_MAX: usize = 100;

/// The items of a transaction in flight, by table and key.
type InFlight = Arc<Mutex<BTreeMap<String, usize>>>;

/// The database.
pub struct Database {
    engine: Engine,
    in_flight: InFlight,
    changes: watch::Sender<u64>,
}

/// Holds the items of a transaction until it is over.
pub struct TransactionLock {
    keys: Vec<String>,
    in_flight: InFlight,
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

struct SimulatedClock(Clock);

impl EngineClock for SimulatedClock {
    fn now_unix_secs(&self) -> u64 {
        u64::try_from(self.0.now().as_second()).unwrap_or_default()
    }

    #[expect(
        clippy::float_arithmetic,
        clippy::cast_precision_loss,
        reason = "the engine's clock is a float"
    )]
    fn now_unix_secs_f64(&self) -> f64 {
        self.0.now().as_millisecond() as f64 / 1000.0
    }
}

impl Database {
    /// An empty database with these tables.
    ///
    /// # Errors
    /// When the engine refuses a table of the template.
    pub fn create(tables: &[Table], clock: Clock) -> Result<Self, DynoxideError> {
        let engine = Engine::memory_with_clock(Arc::new(SimulatedClock(clock)))?;
        for table in tables {
            let request = serde_json::from_value(table.definition.clone())
                .map_err(|error| DynoxideError::InternalServerError(error.to_string()))?;
            engine.create_table(request)?;
        }
        Ok(Self {
            engine,
            in_flight: Arc::default(),
            changes: watch::Sender::new(0),
        })
    }

    /// Signals changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Takes the items of a transaction, or refuses a write to items that another one
    /// holds.
    ///
    /// # Errors
    /// DynamoDB's reply to the conflict.
    pub fn enter(&self, operation: &str, body: &Value) -> Result<Option<TransactionLock>, Reply> {
        let keys = written(operation, body);
        let mut in_flight = self
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
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
            in_flight: self.in_flight.clone(),
        }))
    }

    /// Does what is asked.
    pub fn answer(&self, operation: &str, body: &str) -> Reply {
        match self.dispatch(operation, body) {
            Ok(body) => {
                if !matches!(operation, "GetItem" | "Query" | "BatchGetItem") {
                    self.changes
                        .send_modify(|count| *count = count.wrapping_add(1));
                }
                Reply::ok(body)
            }
            Err(error) => Reply::with_status(error.status_code(), error.to_json()),
        }
    }

    fn dispatch(&self, operation: &str, body: &str) -> Result<String, DynoxideError> {
        macro_rules! operations {
            ($($name:literal => $method:ident),+ $(,)?) => {
                match operation {
                    $($name => {
                        let request = serde_json::from_str(body).map_err(|error| {
                            DynoxideError::ValidationException(error.to_string())
                        })?;
                        let reply = self.engine.$method(request)?;
                        serde_json::to_string(&reply)
                            .map_err(|error| DynoxideError::InternalServerError(error.to_string()))
                    })+
                    other => Err(DynoxideError::ValidationException(
                        format!("{other} is not simulated"),
                    )),
                }
            };
        }
        operations! {
            "GetItem" => get_item,
            "PutItem" => put_item,
            "UpdateItem" => update_item,
            "DeleteItem" => delete_item,
            "Query" => query,
            "Scan" => scan,
            "BatchGetItem" => batch_get_item,
            "BatchWriteItem" => batch_write_item,
            "TransactWriteItems" => transact_write_items,
            "TransactGetItems" => transact_get_items,
        }
    }

    /// All items of a table, for those who check a run.
    pub fn items(&self, table: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut start = Value::Null;
        loop {
            let mut request = json!({ "TableName": table });
            if !start.is_null() {
                request["ExclusiveStartKey"] = start;
            }
            let Ok(reply) = self.dispatch("Scan", &request.to_string()) else {
                return items;
            };
            let reply: Value = serde_json::from_str(&reply).unwrap_or_default();
            items.extend(reply["Items"].as_array().cloned().unwrap_or_default());
            start = reply["LastEvaluatedKey"].clone();
            if start.is_null() {
                return items;
            }
        }
    }

    /// The beginning of a table's stream.
    ///
    /// # Errors
    /// When the table has none.
    pub fn stream(&self, arn: &str, table: &str) -> Result<String, DynoxideError> {
        let reply = self.engine.get_shard_iterator(GetShardIteratorRequest {
            stream_arn: arn.to_owned(),
            shard_id: dynoxide::streams::shard_id(table),
            shard_iterator_type: "TRIM_HORIZON".to_owned(),
            sequence_number: None,
        })?;
        Ok(reply.shard_iterator.unwrap_or_default())
    }

    /// The records at a position, and the position after them.
    ///
    /// # Errors
    /// When the position is unreadable.
    pub fn records(&self, position: &str) -> Result<(Vec<Value>, String), DynoxideError> {
        let reply = self.engine.get_records(GetRecordsRequest {
            shard_iterator: position.to_owned(),
            limit: Some(RECORDS_MAX),
        })?;
        let next = reply.next_shard_iterator.clone();
        let records = reply.records.iter().map(|record| {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the engine represents whole seconds as a float"
            )]
            let created = record.dynamodb.approximate_creation_date_time as i64;
            let mut json = serde_json::to_value(record).unwrap_or_default();
            json["dynamodb"]["ApproximateCreationDateTime"] = created.into();
            json
        });
        Ok((
            records.collect(),
            next.unwrap_or_else(|| position.to_owned()),
        ))
    }
}

/// The items that a call writes or checks, as texts that tell them apart.
fn written(operation: &str, body: &Value) -> Vec<String> {
    let key =
        |table: &Value, item: &Value| format!("{table} {} {}", item["pk"]["S"], item["sk"]["S"]);
    match operation {
        "PutItem" => vec![key(&body["TableName"], &body["Item"])],
        "UpdateItem" | "DeleteItem" => vec![key(&body["TableName"], &body["Key"])],
        "TransactWriteItems" => {
            let actions = body["TransactItems"].as_array().into_iter().flatten();
            actions
                .filter_map(|action| action.as_object()?.values().next())
                .map(|action| {
                    let item = if action["Item"].is_null() {
                        &action["Key"]
                    } else {
                        &action["Item"]
                    };
                    key(&action["TableName"], item)
                })
                .collect()
        }
        _ => Vec::new(),
    }
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
