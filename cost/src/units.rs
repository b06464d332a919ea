//! Request units of one DynamoDB call.
//!
//! Successful calls are counted by what DynamoDB itself reports: the meter adds
//! `ReturnConsumedCapacity: INDEXES` to each request. A rejected write reports
//! nothing but is not free. According to AWS's documentation, a conditional write
//! that fails consumes units for the existing item, at least one, and a
//! transaction consumes units for each item twice, to prepare and to commit it.
//! For a cancelled transaction all items are counted, which is an upper bound.

use dynoxide::types::{Item, item_size};
use serde::Serialize;
use serde_json::Value;

/// Bytes covered by one write unit.
const WRITE_UNIT_BYTES: usize = 1024;
/// A transaction writes each item twice: it prepares and commits it.
const TRANSACTION_FACTOR: f64 = 2.0;

/// Request units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Units {
    /// For reads (4 KB each, half a unit if eventually consistent).
    pub read: f64,
    /// For writes (1 KB each, doubled in a transaction).
    pub write: f64,
}

impl std::ops::AddAssign for Units {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.write += other.write;
    }
}

impl std::ops::Div<f64> for Units {
    type Output = Self;

    fn div(self, divisor: f64) -> Self {
        Self {
            read: self.read / divisor,
            write: self.write / divisor,
        }
    }
}

/// The units consumed at one table or index.
#[derive(Clone, Debug, PartialEq)]
pub struct Charge {
    /// The table.
    pub table: String,
    /// The index; `None` for the table itself.
    pub index: Option<String>,
    /// The units.
    pub units: Units,
}

/// Whether an operation reads.
fn reads(operation: &str) -> bool {
    matches!(
        operation,
        "GetItem" | "BatchGetItem" | "Query" | "Scan" | "TransactGetItems"
    )
}

/// The units that a call consumed.
pub fn charges(operation: &str, request: &Value, reply: &Value) -> Vec<Charge> {
    match &reply["ConsumedCapacity"] {
        Value::Array(tables) => tables
            .iter()
            .flat_map(|one| reported(operation, one))
            .collect(),
        one @ Value::Object(_) => reported(operation, one),
        _ => rejected(request, reply),
    }
}

/// The units that DynamoDB reports for one table.
fn reported(operation: &str, consumed: &Value) -> Vec<Charge> {
    let table = consumed["TableName"].as_str().unwrap_or_default();
    let charge = |index: Option<&String>, detail: &Value| {
        let all = detail["CapacityUnits"].as_f64().unwrap_or_default();
        let (read, write) = if reads(operation) {
            (all, 0.0)
        } else {
            // A transaction repeated with the same token consumes read units.
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

/// The units of a rejected write.
fn rejected(request: &Value, reply: &Value) -> Vec<Charge> {
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
            let existing = reasons.and_then(|reasons| reasons.get(place));
            let existing = existing.map_or(1.0, |reason| write_units(&reason["Item"]));
            let units = existing.max(write_units(&write["Item"])) * TRANSACTION_FACTOR;
            Some(charge(&write["TableName"], units))
        })
        .collect()
}

/// The write units of an item in DynamoDB's JSON; one if there is no item.
fn write_units(item: &Value) -> f64 {
    let item: Option<Item> = serde_json::from_value(item.clone()).ok();
    let kilobytes = item.map_or(0, |item| item_size(&item).div_ceil(WRITE_UNIT_BYTES));
    u32::try_from(kilobytes.max(1)).map_or(f64::MAX, f64::from)
}
