//! What was counted during a measurement.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::units::Units;

/// Where request units were consumed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The function that made the call.
    pub function: String,
    /// The operation, such as `TransactWriteItems`.
    pub operation: String,
    /// The table, followed by a slash and the index if it is one.
    pub table: String,
}

/// A call of an AWS service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// The function that made it.
    pub function: String,
    /// The service, such as `sns`.
    pub service: &'static str,
    /// The operation, such as `PublishBatch`.
    pub operation: String,
}

/// One invocation of a function.
#[derive(Clone, Copy, Debug)]
pub struct Invocation {
    /// Its duration without the time that it waited for AWS.
    pub own: Duration,
    /// The queue messages in its event.
    pub messages: u64,
    /// The size of its response.
    pub response_bytes: u64,
}

/// How a function is triggered, as far as billing distinguishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By a request through API Gateway.
    Http,
    /// By a queue.
    Queue,
    /// By anything else.
    Other,
}

/// Everything that was counted.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Request units of DynamoDB.
    pub units: BTreeMap<Place, Units>,
    /// Calls of AWS.
    pub calls: BTreeMap<Call, u64>,
    /// Invocations by function.
    pub invocations: BTreeMap<String, Vec<Invocation>>,
    /// Events that were published.
    pub events: u64,
    /// Bytes of events, counted once for every subscription that filters them.
    pub filtered_bytes: u64,
    /// Bytes of log lines.
    pub log_bytes: u64,
    /// Log lines.
    pub log_lines: u64,
}

/// The suffix of the labels under which scheduled invocations are counted.
pub const SCHEDULED: &str = " (scheduled)";

/// Whether a label stands for scheduled invocations. They cost the same whether
/// or not there are customers, so they are not part of the cost of an order.
pub fn is_scheduled(label: &str) -> bool {
    label.ends_with(SCHEDULED)
}

impl Counts {
    /// The units, calls and invocations of the functions with certain labels.
    #[must_use]
    pub fn only(mut self, keep: impl Fn(&str) -> bool) -> Self {
        self.units.retain(|place, _| keep(&place.function));
        self.calls.retain(|call, _| keep(&call.function));
        self.invocations.retain(|label, _| keep(label));
        self
    }

    /// Adds the units, calls and invocations of another measurement.
    pub fn merge(&mut self, other: Self) {
        for (place, units) in other.units {
            *self.units.entry(place).or_default() += units;
        }
        for (call, count) in other.calls {
            *self.calls.entry(call).or_default() += count;
        }
        for (label, invocations) in other.invocations {
            self.invocations
                .entry(label)
                .or_default()
                .extend(invocations);
        }
    }

    /// The sum of all request units.
    pub fn total(&self) -> Units {
        let mut total = Units::default();
        for units in self.units.values() {
            total += *units;
        }
        total
    }

    /// The number of calls of an operation.
    pub fn calls_of(&self, service: &str, operation: &str) -> u64 {
        let same = |call: &Call| call.service == service && call.operation == operation;
        let calls = self.calls.iter().filter(|(call, _)| same(call));
        calls.map(|(_, count)| count).sum()
    }

    /// The number of all invocations.
    pub fn invoked(&self) -> u64 {
        let counts = self.invocations.values().map(Vec::len);
        u64::try_from(counts.sum::<usize>()).unwrap_or(u64::MAX)
    }
}
