//! Request units of one DynamoDB call.
//!
//! What succeeds is counted by what DynamoDB itself says it consumed: the meter
//! adds `ReturnConsumedCapacity: INDEXES` to each request. What is refused says
//! nothing, but is not free: AWS's documentation charges a conditional write
//! that fails by the item that stands there, one unit at least, and each item
//! of a transaction twice, for preparing and for committing it. Of a cancelled
//! transaction all items are counted so, which is the most that it can cost.

use dynoxide::types::{Item, item_size};
use serde_json::Value;

/// Bytes of one write unit.
const WRITE_UNIT_BYTES: usize = 1024;
/// How often a transaction writes an item: it prepares and it commits.
const TRANSACTION_FACTOR: f64 = 2.0;

/// Request units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Units {
    /// Of reads (4 KB; half for an eventually consistent one).
    pub read: f64,
    /// Of writes (1 KB; twice in a transaction).
    pub write: f64,
}

impl std::ops::AddAssign for Units {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.write += other.write;
    }
}

/// What one table or index was charged.
#[derive(Clone, Debug, PartialEq)]
pub struct Charge {
    /// The table.
    pub table: String,
    /// Its index, or the table itself.
    pub index: Option<String>,
    /// How much.
    pub units: Units,
}

/// Whether an operation reads.
fn reads(operation: &str) -> bool {
    matches!(
        operation,
        "GetItem" | "BatchGetItem" | "Query" | "Scan" | "TransactGetItems"
    )
}

/// What a call was charged.
pub fn charges(operation: &str, request: &Value, reply: &Value) -> Vec<Charge> {
    match &reply["ConsumedCapacity"] {
        Value::Array(tables) => tables.iter().flat_map(|one| told(operation, one)).collect(),
        one @ Value::Object(_) => told(operation, one),
        _ => refused(request, reply),
    }
}

/// What DynamoDB says of one table.
fn told(operation: &str, consumed: &Value) -> Vec<Charge> {
    let table = consumed["TableName"].as_str().unwrap_or_default();
    let charge = |index: Option<&String>, detail: &Value| {
        let all = detail["CapacityUnits"].as_f64().unwrap_or_default();
        let (read, write) = if reads(operation) {
            (all, 0.0)
        } else {
            // A transaction that is repeated with its token is a read.
            let read = detail["ReadCapacityUnits"].as_f64().unwrap_or_default();
            (read, all - read)
        };
        Charge {
            table: table.to_owned(),
            index: index.cloned(),
            units: Units { read, write },
        }
    };
    let mut charges = vec![charge(None, &consumed["Table"])];
    for indexes in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        for (name, detail) in consumed[indexes].as_object().into_iter().flatten() {
            charges.push(charge(Some(name), detail));
        }
    }
    charges.retain(|charge| charge.units != Units::default());
    charges
}

/// What a refused write costs.
fn refused(request: &Value, reply: &Value) -> Vec<Charge> {
    let kind = reply["__type"].as_str().unwrap_or_default();
    let charge = |table: &Value, write: f64| Charge {
        table: table.as_str().unwrap_or_default().to_owned(),
        index: None,
        units: Units { read: 0.0, write },
    };
    if kind.ends_with("ConditionalCheckFailedException") {
        let units = write_units(&reply["Item"]);
        return vec![charge(&request["TableName"], units)];
    }
    if !kind.ends_with("TransactionCanceledException") {
        return Vec::new();
    }
    let reasons = reply["CancellationReasons"].as_array();
    let writes = request["TransactItems"].as_array().into_iter().flatten();
    writes
        .enumerate()
        .filter_map(|(place, write)| {
            let (_, write) = write.as_object()?.iter().next()?;
            let stands = reasons.and_then(|reasons| reasons.get(place));
            let stands = stands.map_or(1.0, |reason| write_units(&reason["Item"]));
            let units = stands.max(write_units(&write["Item"])) * TRANSACTION_FACTOR;
            Some(charge(&write["TableName"], units))
        })
        .collect()
}

/// Write units of an item in DynamoDB's JSON; one when there is none.
fn write_units(item: &Value) -> f64 {
    let item: Option<Item> = serde_json::from_value(item.clone()).ok();
    let kilobytes = item.map_or(0, |item| item_size(&item).div_ceil(WRITE_UNIT_BYTES));
    u32::try_from(kilobytes.max(1)).map_or(f64::MAX, f64::from)
}
