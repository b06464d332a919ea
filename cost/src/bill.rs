//! Prices what was counted.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    Error, assumed,
    counts::{Counts, Invocation, Kind, SCHEDULED},
    prices::Prices,
    units::Units,
};

/// Bytes in a gigabyte, as AWS counts memory, storage and traffic.
const GB: f64 = 1024.0 * 1024.0 * 1024.0;
/// Megabytes in a gigabyte.
const GB_MB: f64 = 1024.0;

/// What billing depends on in a function.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Its memory size.
    pub memory_mb: f64,
    /// What triggers it.
    pub kind: Kind,
}

/// What billing depends on in the template.
#[derive(Clone, Debug, Default)]
pub struct Specs {
    /// The functions, by name.
    pub functions: BTreeMap<String, Spec>,
    /// Whether functions start X-Ray traces.
    pub traced: bool,
    /// How often a function is invoked, on which the share of traces depends.
    pub per_second: f64,
    /// Whether API Gateway logs requests.
    pub access_logged: bool,
}

/// What was counted while an action was repeated.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// How often it was repeated.
    pub times: f64,
    /// What was counted in total.
    pub counts: Counts,
}

impl Measurement {
    /// The request units of one repetition.
    pub fn units(&self) -> Units {
        self.counts.total() / self.times
    }
}

/// One line of a bill.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// What it is for.
    pub what: &'static str,
    /// How many units of it.
    pub quantity: f64,
    /// The name of the price in `prices.json`.
    pub price: &'static str,
    /// Its cost in dollars.
    pub usd: f64,
}

/// A bill for one order, one read or one month.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Bill {
    /// Its lines.
    pub lines: Vec<Line>,
}

impl Bill {
    /// Adds a quantity to the line of that name, which is created if necessary.
    ///
    /// # Errors
    /// If there is no such price.
    pub fn add(
        &mut self,
        prices: &Prices,
        what: &'static str,
        quantity: f64,
        price: &'static str,
    ) -> Result<(), Error> {
        let usd = prices.of(price)?.times(quantity);
        match self.lines.iter_mut().find(|line| line.what == what) {
            Some(line) => {
                line.quantity += quantity;
                line.usd += usd;
            }
            None if quantity > 0.0 => self.lines.push(Line {
                what,
                quantity,
                price,
                usd,
            }),
            None => {}
        }
        Ok(())
    }

    /// The total in dollars.
    pub fn usd(&self) -> f64 {
        self.lines.iter().map(|line| line.usd).sum()
    }
}

/// The duration of one invocation of a function, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Time {
    /// Its own work: measured, and scaled by its share of a processor.
    pub measured_ms: f64,
    /// Waiting for AWS, which is assumed, and rounding up to a whole millisecond.
    pub assumed_ms: f64,
}

impl Time {
    /// The duration that Lambda bills.
    pub fn billed_ms(self) -> f64 {
        self.measured_ms + self.assumed_ms
    }
}

fn spec_of(specs: &Specs, label: &str) -> Result<Spec, Error> {
    let name = label.strip_suffix(SCHEDULED).unwrap_or(label);
    let spec = specs.functions.get(name).copied();
    spec.ok_or_else(|| format!("{label} is not in the template").into())
}

/// The median, which a few invocations that were delayed do not affect.
fn median_ms(invocations: &[Invocation]) -> f64 {
    let mut own: Vec<f64> = invocations
        .iter()
        .map(|one| one.own.as_secs_f64() * 1000.0)
        .collect();
    own.sort_by(f64::total_cmp);
    own.get(own.len() / 2).copied().unwrap_or_default()
}

/// The length of a slice.
pub fn count<T>(all: &[T]) -> f64 {
    u32::try_from(all.len()).map_or(f64::MAX, f64::from)
}

/// A count as a float.
#[expect(clippy::cast_precision_loss, reason = "no count reaches 2^53")]
pub const fn number(count: u64) -> f64 {
    count as f64
}

/// The duration of one invocation of each function.
///
/// # Errors
/// If a function is not in the template.
pub fn times(counts: &Counts, specs: &Specs) -> Result<BTreeMap<String, Time>, Error> {
    let mut times = BTreeMap::new();
    for (label, invocations) in &counts.invocations {
        let share = spec_of(specs, label)?.memory_mb / assumed::WHOLE_PROCESSOR_MB;
        let measured_ms = median_ms(invocations) / share.min(1.0);
        let calls = counts
            .calls
            .iter()
            .filter(|(call, _)| call.function == *label);
        let waiting: f64 = calls
            .map(|(call, count)| assumed::call_ms(call.service, &call.operation) * number(*count))
            .sum();
        let waiting = waiting / count(invocations);
        let assumed_ms = (measured_ms + waiting).ceil() - measured_ms;
        times.insert(
            label.clone(),
            Time {
                measured_ms,
                assumed_ms,
            },
        );
    }
    // The caller of another function waits until that one has finished.
    let called = times.get("reserve-stock").map(|time| time.billed_ms());
    if let (Some(called), Some(caller)) = (called, times.get_mut("place-order")) {
        caller.assumed_ms += called;
    }
    Ok(times)
}

/// The bill for one repetition.
///
/// # Errors
/// If a function or a price is unknown.
pub fn of(measured: &Measurement, specs: &Specs, prices: &Prices) -> Result<Bill, Error> {
    let Measurement { times: n, counts } = measured;
    let (mut requests, mut queue_requests, mut response_bytes) = (0.0, 0.0, 0.0);
    let (mut measured_gb_s, mut assumed_gb_s) = (0.0, 0.0);
    let times = times(counts, specs)?;
    for (label, invocations) in &counts.invocations {
        let (spec, runs) = (spec_of(specs, label)?, count(invocations));
        let gb_s = |ms: f64| runs * ms / 1000.0 * spec.memory_mb / GB_MB;
        let time = times.get(label).copied().unwrap_or_default();
        measured_gb_s += gb_s(time.measured_ms);
        assumed_gb_s += gb_s(time.assumed_ms);
        match spec.kind {
            Kind::Http => {
                requests += runs;
                let bytes = invocations.iter().map(|one| one.response_bytes);
                response_bytes += number(bytes.sum());
            }
            // Each message is sent once; each batch is received and deleted once.
            Kind::Queue => {
                let messages = invocations.iter().map(|one| one.messages);
                queue_requests += number(messages.sum()) + 2.0 * runs;
            }
            Kind::Other => {}
        }
    }
    let units = counts.total();
    let runs = number(counts.invoked());
    let access_lines = if specs.access_logged { requests } else { 0.0 };
    let log_lines = number(counts.log_lines) + runs * assumed::PLATFORM_LOG_LINES + access_lines;
    let log_bytes = number(counts.log_bytes)
        + runs * assumed::PLATFORM_LOG_BYTES
        + access_lines * assumed::ACCESS_LOG_BYTES
        + log_lines * assumed::LOG_LINE_BYTES;
    let mails = number(counts.calls_of("ses", "SendEmail"));
    let traces = if specs.traced {
        runs * assumed::traced_share(specs.per_second)
    } else {
        0.0
    };
    let mut bill = Bill::default();
    for (what, quantity, price) in [
        ("API Gateway: requests", requests, "http-api-request"),
        ("Lambda: invocations", runs, "lambda-request"),
        (
            "Lambda: own work, measured",
            measured_gb_s,
            "lambda-gb-second",
        ),
        (
            "Lambda: waiting for AWS, assumed",
            assumed_gb_s,
            "lambda-gb-second",
        ),
        ("DynamoDB: write units", units.write, "dynamodb-write-unit"),
        ("DynamoDB: read units", units.read, "dynamodb-read-unit"),
        (
            "SNS: published events",
            number(counts.events),
            "sns-publish",
        ),
        (
            "SNS: payload filtering",
            number(counts.filtered_bytes) / GB,
            "sns-filtered-gb",
        ),
        (
            "SQS: send, receive and delete",
            queue_requests,
            "sqs-request",
        ),
        ("SES: mails", mails, "ses-mail"),
        (
            "Secrets Manager: calls",
            number(counts.calls_of("secretsmanager", "GetSecretValue")),
            "secret-call",
        ),
        (
            "CloudWatch Logs: ingestion",
            log_bytes / GB,
            "logs-ingested-gb",
        ),
        ("X-Ray: traces, assumed", traces, "xray-trace"),
        (
            "Data transfer: responses",
            response_bytes / GB,
            "transfer-out-gb",
        ),
    ] {
        bill.add(prices, what, quantity / n, price)?;
    }
    Ok(bill)
}
