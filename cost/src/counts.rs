//! What was counted in some stretch of time.

use std::{collections::BTreeMap, time::Duration};

use crate::units::Units;

/// Where request units were consumed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The function that called.
    pub function: String,
    /// The operation, such as `TransactWriteItems`.
    pub operation: String,
    /// The table, and its index after a slash.
    pub table: String,
}

/// A call of an AWS service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// The function that called.
    pub function: String,
    /// The service, such as `sns`.
    pub service: &'static str,
    /// The operation, such as `PublishBatch`.
    pub operation: String,
}

/// One run of a function.
#[derive(Clone, Copy, Debug)]
pub struct Invocation {
    /// The time it took without that in which it waited for AWS.
    pub own: Duration,
    /// Messages of a queue that it was given.
    pub messages: u64,
    /// Bytes of its reply.
    pub reply_bytes: u64,
}

/// How a function is triggered, as far as it matters to the bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request through API Gateway.
    Http,
    /// A queue.
    Queue,
    /// Anything else.
    Other,
}

/// Everything that was counted.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Request units.
    pub units: BTreeMap<Place, Units>,
    /// Calls of AWS.
    pub calls: BTreeMap<Call, u64>,
    /// Invocations of each function.
    pub invocations: BTreeMap<String, Vec<Invocation>>,
    /// Events that were published.
    pub events: u64,
    /// Bytes of events, each counted for every subscription whose filter reads it.
    pub filtered_bytes: u64,
    /// Bytes of log lines.
    pub log_bytes: u64,
    /// Log lines.
    pub log_lines: u64,
}

/// What the label of a function that runs by the clock ends with.
pub const BY_THE_CLOCK: &str = " (by the clock)";

/// Whether a label is that of a function that runs by the clock: it costs the
/// same whether anybody shops or not, so it is no part of what an order costs.
pub fn by_the_clock(label: &str) -> bool {
    label.ends_with(BY_THE_CLOCK)
}

impl Counts {
    /// Only what runs by the clock, or only what does not.
    #[must_use]
    pub fn only(mut self, clock: bool) -> Self {
        self.units
            .retain(|place, _| by_the_clock(&place.function) == clock);
        self.calls
            .retain(|call, _| by_the_clock(&call.function) == clock);
        self.invocations
            .retain(|label, _| by_the_clock(label) == clock);
        self
    }

    /// All request units together.
    pub fn total(&self) -> Units {
        let mut total = Units::default();
        for units in self.units.values() {
            total += *units;
        }
        total
    }

    /// Calls of a service, or of one operation of it.
    pub fn calls_of(&self, service: &str, operation: &str) -> u64 {
        let same = |call: &Call| call.service == service && call.operation == operation;
        let calls = self.calls.iter().filter(|(call, _)| same(call));
        calls.map(|(_, count)| count).sum()
    }

    /// All invocations.
    pub fn invoked(&self) -> u64 {
        let counts = self.invocations.values().map(Vec::len);
        u64::try_from(counts.sum::<usize>()).unwrap_or(u64::MAX)
    }
}
