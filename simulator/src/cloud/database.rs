//! DynamoDB: the embedded one, and what it lacks: conflicts of transactions, replicas and
//! indexes that lag, limits of partitions, and streams of several shards.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use dynoxide::{Database as Engine, DynoxideError, storage_backend::Clock as EngineClock};
use local::template::Table;
use runtime::Clock;
use serde_json::{Value, json};

use crate::check::event_id;

use super::{
    Reply,
    conflicts::{InFlight, written_items},
    images::{Images, key_of},
    lag,
    limits::{Limits, Meter, Use, uses},
    streams::Streams,
};

/// The database.
pub struct Database {
    engine: Engine,
    /// Transactions in flight.
    pub in_flight: InFlight,
    /// What the items look like, and have looked like.
    pub images: Images,
    /// The streams of the tables.
    pub streams: Streams,
    meter: Meter,
    clock: Clock,
    changed: Mutex<Vec<Change>>,
    /// Events that were replaced by others under the same key.
    overwritten: Mutex<Vec<String>>,
    tables: BTreeMap<String, Watched>,
}

/// A change of something's status.
#[derive(Debug)]
pub struct Change {
    /// The partition key.
    pub pk: String,
    /// The order that it belongs to, if it is not an order itself.
    pub order: Option<String>,
    /// The status before; empty for something new.
    pub before: String,
    /// The status after; empty for what was deleted.
    pub after: String,
}

/// A table whose changes are followed.
struct Watched {
    definition: Value,
    /// How many changes there have been.
    changes: AtomicU64,
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
    pub fn create(tables: &[Table], clock: Clock, limits: Limits) -> Result<Self, DynoxideError> {
        let engine = Engine::memory_with_clock(Arc::new(SimulatedClock(clock.clone())))?;
        let mut watched = BTreeMap::new();
        for table in tables {
            // Its stream is made here, in shards; the engine's would be one more copy.
            let mut definition = table.definition.clone();
            definition
                .as_object_mut()
                .map(|fields| fields.remove("StreamSpecification"));
            let request = serde_json::from_value(definition)
                .map_err(|error| DynoxideError::InternalServerError(error.to_string()))?;
            engine.create_table(request)?;
            let one = Watched {
                definition: table.definition.clone(),
                changes: AtomicU64::new(0),
            };
            watched.insert(table.name.clone(), one);
        }
        Ok(Self {
            engine,
            in_flight: InFlight::default(),
            images: Images::default(),
            streams: Streams::default(),
            meter: Meter::new(limits),
            clock,
            changed: Mutex::default(),
            overwritten: Mutex::default(),
            tables: watched,
        })
    }

    /// How often a table has changed.
    pub fn changes_of(&self, table: &str) -> u64 {
        let table = self.tables.get(table);
        table.map_or(0, |table| table.changes.load(Ordering::SeqCst))
    }

    /// How often all tables have changed.
    pub fn changes(&self) -> u64 {
        self.tables.keys().map(|table| self.changes_of(table)).sum()
    }

    /// What has changed its status since this was asked before.
    pub fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut self.changed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Events that were replaced by others.
    pub fn overwritten(&self) -> Vec<String> {
        let overwritten = self.overwritten.lock();
        overwritten.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the partitions that a call touches have units left for it.
    pub fn admits(&self, operation: &str, body: &Value) -> bool {
        let indexes = written_images(operation, body);
        let full = indexes.iter().any(|(table, image)| {
            let indexes = self.tables.get(*table).map(|one| &one.definition);
            let indexes = indexes.and_then(|table| table["GlobalSecondaryIndexes"].as_array());
            indexes.into_iter().flatten().any(|index| {
                let name = index["IndexName"].as_str().unwrap_or_default();
                partition(index, image)
                    .is_some_and(|one| self.meter.is_used_up(&Use::write(table, name, &one, 0)))
            })
        });
        !full && self.meter.admits(&uses(operation, body))
    }

    /// Does what is asked.
    pub fn answer(&self, operation: &str, body: &Value) -> Reply {
        match self.dispatch(operation, &body.to_string()) {
            Ok(reply) => {
                for (table, key) in written_items(operation, body) {
                    self.follow(&table, &key);
                }
                Reply::ok(reply)
            }
            Err(error) => Reply::with_status(error.status_code(), error.to_json()),
        }
    }

    /// Answers a read as a replica does that is behind.
    pub fn answer_late(&self, operation: &str, body: &Value, behind: lag::Behind) -> Reply {
        match self.dispatch(operation, &body.to_string()) {
            Ok(reply) => {
                let reply = serde_json::from_str(&reply).unwrap_or_default();
                let index = body["IndexName"].as_str().unwrap_or_default();
                let table = body["TableName"].as_str().unwrap_or_default();
                let projects_all = self.index(table, index).is_none_or(|index| {
                    index["Projection"]["ProjectionType"].as_str() == Some("ALL")
                });
                let late = lag::Read {
                    operation,
                    request: body,
                    index: self.index(table, index),
                    projects_all,
                };
                Reply::ok(late.answer(&self.images, behind, reply).to_string())
            }
            Err(error) => Reply::with_status(error.status_code(), error.to_json()),
        }
    }

    fn index(&self, table: &str, name: &str) -> Option<&Value> {
        let indexes = self.tables.get(table)?.definition["GlobalSecondaryIndexes"].as_array()?;
        indexes.iter().find(|index| index["IndexName"] == name)
    }

    /// Whether a query finds nothing, and would not at any other time either: there is
    /// nothing in the partition.
    pub fn is_empty(&self, query: &Value) -> bool {
        let condition = query["KeyConditionExpression"].as_str().unwrap_or_default();
        let Some((partition, _)) = condition.split_once(" AND ") else {
            return false;
        };
        let placeholder = partition.split_whitespace().nth(2).unwrap_or_default();
        let value = query["ExpressionAttributeValues"][placeholder].clone();
        let mut query = query.clone();
        query["KeyConditionExpression"] = partition.into();
        query["ExpressionAttributeValues"] = Value::from_iter([(placeholder, value)]);
        let Ok(reply) = self.dispatch("Query", &query.to_string()) else {
            return false;
        };
        let reply: Value = serde_json::from_str(&reply).unwrap_or_default();
        reply["ScannedCount"] == 0
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

    /// Deletes an item that is still pending, as if it had never been written.
    pub fn forget_pending(&self, table: &str, key: &(String, String)) {
        let current = self.images.current(table, key);
        if current.is_some_and(|item| item["status"]["S"] == "pending") {
            let key = json!({"pk": {"S": key.0}, "sk": {"S": key.1}});
            let request = json!({"TableName": table, "Key": key});
            self.answer("DeleteItem", &request);
        }
    }

    /// Looks at an item that a call has written; if it has changed, that goes into the
    /// images and the stream.
    fn follow(&self, table: &str, key: &Value) {
        let Some(watched) = self.tables.get(table) else {
            return;
        };
        let request = json!({"TableName": table, "Key": key, "ConsistentRead": true});
        let reply = self.dispatch("GetItem", &request.to_string());
        let reply: Value = serde_json::from_str(&reply.expect("an item that was written"))
            .expect("the engine's JSON");
        let after = reply.get("Item").cloned();
        let pk = key_of(key);
        let before = self.images.current(table, &pk);
        if before.as_deref() == after.as_ref() {
            return;
        }
        let number = watched.changes.fetch_add(1, Ordering::SeqCst);
        self.images.record(table, pk.clone(), after.clone());
        self.meter_indexes(watched, table, before.as_deref(), after.as_ref());
        let changes = change(&pk.0, before.as_deref(), after.as_ref());
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.extend(changes);
        drop(changed);
        // The same event may lose its private members, and be announced as a reminder.
        let event = |image: Option<&Value>| Some(event_id(image?.get("event")?["S"].as_str()?));
        let (old, new) = (event(before.as_deref()), event(after.as_ref()));
        if old.is_some() && old != new {
            let mut overwritten = self
                .overwritten
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            overwritten.push(format!("{} {}", pk.0, pk.1));
        }
        let event = match (&before, &after) {
            (None, _) => "INSERT",
            (_, Some(_)) => "MODIFY",
            (_, None) => "REMOVE",
        };
        let mut record = json!({
            "eventID": format!("{number:032x}"), "eventName": event, "eventVersion": "1.1",
            "eventSource": "aws:dynamodb", "awsRegion": "us-east-1",
            "dynamodb": {
                "Keys": key, "SequenceNumber": format!("{:021}", number + 1), "SizeBytes": 1,
                "StreamViewType": "NEW_IMAGE",
                "ApproximateCreationDateTime": self.clock.now().as_second(),
            },
        });
        if let Some(image) = after {
            record["dynamodb"]["NewImage"] = image;
        }
        self.streams.push(table, &pk.0, record);
    }

    /// What a change writes to the indexes of its table: one unit where an item appears,
    /// changes or disappears, two where it moves.
    fn meter_indexes(
        &self,
        watched: &Watched,
        table: &str,
        before: Option<&Value>,
        after: Option<&Value>,
    ) {
        let indexes = watched.definition["GlobalSecondaryIndexes"].as_array();
        for index in indexes.into_iter().flatten() {
            let name = index["IndexName"].as_str().unwrap_or_default();
            let of = |image: Option<&Value>| partition(index, image?);
            let (left, entered) = (of(before), of(after));
            let moved = left.clone().filter(|left| Some(left) != entered.as_ref());
            for partition in moved.into_iter().chain(entered) {
                self.meter.add(Use::write(table, name, &partition, 1));
            }
        }
    }
}

fn change(pk: &str, before: Option<&Value>, after: Option<&Value>) -> Option<Change> {
    let text = |image: Option<&Value>, name: &str| {
        let text = image.and_then(|image| image[name]["S"].as_str());
        text.unwrap_or_default().to_owned()
    };
    let (left, entered) = (text(before, "status"), text(after, "status"));
    let order = text(after.or(before), "order_id");
    (left != entered).then(|| Change {
        pk: pk.to_owned(),
        order: (!order.is_empty() && !pk.ends_with(&order)).then_some(order),
        before: left,
        after: entered,
    })
}

/// The partition of an index that an item is in, if it is in the index.
fn partition(index: &Value, image: &Value) -> Option<String> {
    let hash = index["KeySchema"][0]["AttributeName"].as_str()?;
    let value = image.get(hash)?;
    let text = value["S"].as_str().or_else(|| value["N"].as_str());
    text.map(str::to_owned)
}

/// The items that a call writes whole, by table: those whose indexes it tells itself.
fn written_images<'b>(operation: &str, body: &'b Value) -> Vec<(&'b str, &'b Value)> {
    let one = |put: &'b Value| {
        let item = put.get("Item")?;
        Some((put["TableName"].as_str()?, item))
    };
    match operation {
        "PutItem" => one(body).into_iter().collect(),
        "TransactWriteItems" => {
            let actions = body["TransactItems"].as_array().into_iter().flatten();
            actions.filter_map(|action| one(&action["Put"])).collect()
        }
        _ => Vec::new(),
    }
}
