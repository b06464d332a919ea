//! What was counted, priced.

use std::collections::BTreeMap;

use crate::{
    Error, assumed,
    counts::{Counts, Invocation, Kind},
    prices::Prices,
};

/// Bytes of a gigabyte, as AWS counts memory, storage and traffic.
const GB: f64 = 1024.0 * 1024.0 * 1024.0;
/// Megabytes of it.
const GB_MB: f64 = 1024.0;

/// What the bill needs to know of a function.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Its memory.
    pub memory_mb: f64,
    /// What triggers it.
    pub kind: Kind,
}

/// What the bill needs to know of the shop.
#[derive(Clone, Debug, Default)]
pub struct Specs {
    /// The functions, by name.
    pub functions: BTreeMap<String, Spec>,
    /// Whether functions begin traces.
    pub traced: bool,
    /// Whether API Gateway logs requests.
    pub access_logged: bool,
}

/// What was counted while something was done some times.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// How often it was done.
    pub times: f64,
    /// What was counted meanwhile.
    pub counts: Counts,
}

/// One line of a bill: of one order, one read, one month.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is for.
    pub what: &'static str,
    /// How much of it.
    pub quantity: f64,
    /// The price's name in `prices.json`.
    pub price: &'static str,
    /// What it costs.
    pub usd: f64,
}

/// A bill.
#[derive(Clone, Debug, Default)]
pub struct Bill {
    /// Its lines.
    pub lines: Vec<Line>,
}

impl Bill {
    /// Adds a line.
    ///
    /// # Errors
    /// When there is no such price.
    pub fn add(
        &mut self,
        prices: &Prices,
        what: &'static str,
        quantity: f64,
        price: &'static str,
    ) -> Result<(), Error> {
        let usd = prices.of(price)?.times(quantity);
        if quantity > 0.0 {
            self.lines.push(Line {
                what,
                quantity,
                price,
                usd,
            });
        }
        Ok(())
    }

    /// All of it.
    pub fn usd(&self) -> f64 {
        self.lines.iter().map(|line| line.usd).sum()
    }
}

/// Milliseconds of one invocation of a function.
#[derive(Clone, Copy, Debug, Default)]
pub struct Time {
    /// Its own work, measured, as long as its memory's share of a processor makes it.
    pub measured_ms: f64,
    /// Waiting for AWS, assumed, and rounding up to a whole millisecond.
    pub assumed_ms: f64,
}

impl Time {
    /// What Lambda bills.
    pub fn billed_ms(self) -> f64 {
        self.measured_ms + self.assumed_ms
    }
}

/// The function without what tells runs by the clock apart.
fn name_of(label: &str) -> &str {
    label
        .strip_suffix(crate::counts::BY_THE_CLOCK)
        .unwrap_or(label)
}

fn spec_of(specs: &Specs, label: &str) -> Result<Spec, Error> {
    let spec = specs.functions.get(name_of(label)).copied();
    spec.ok_or_else(|| format!("{label} is not in the template").into())
}

/// The median: a run that had to wait for its turn does not move it.
fn median_ms(invocations: &[Invocation]) -> f64 {
    let mut own: Vec<f64> = invocations
        .iter()
        .map(|done| done.own.as_secs_f64() * 1000.0)
        .collect();
    own.sort_by(f64::total_cmp);
    own.get(own.len() / 2).copied().unwrap_or_default()
}

/// The number of a vector's members.
pub fn count<T>(all: &[T]) -> f64 {
    u32::try_from(all.len()).map_or(f64::MAX, f64::from)
}

/// A whole number that was counted.
#[expect(
    clippy::cast_precision_loss,
    reason = "nothing is counted to more than 2^53"
)]
pub const fn number(count: u64) -> f64 {
    count as f64
}

/// What one invocation of each function takes.
///
/// # Errors
/// When a function is not in the template.
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
    // Who calls another function waits for as long as that one takes.
    let called = times.get("reserve-stock").map(|time| time.billed_ms());
    if let (Some(called), Some(caller)) = (called, times.get_mut("place-order")) {
        caller.assumed_ms += called;
    }
    Ok(times)
}

/// What one of something costs.
///
/// # Errors
/// When a function or a price is not known.
pub fn of(measured: &Measurement, specs: &Specs, prices: &Prices) -> Result<Bill, Error> {
    let Measurement { times: n, counts } = measured;
    let (mut requests, mut queue_requests, mut reply_bytes) = (0.0, 0.0, 0.0);
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
                let bytes = invocations.iter().map(|done| done.reply_bytes);
                reply_bytes += number(bytes.sum());
            }
            // Each message is sent once; each batch is received and deleted.
            Kind::Queue => {
                let messages = invocations.iter().map(|done| done.messages);
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
        runs * assumed::TRACED_SHARE
    } else {
        0.0
    };
    let mut bill = Bill::default();
    for (what, quantity, price) in [
        ("API Gateway: requests", requests, "http-api-request"),
        ("Lambda: invocations", runs, "lambda-request"),
        ("Lambda: work, measured", measured_gb_s, "lambda-gb-second"),
        ("Lambda: waiting, assumed", assumed_gb_s, "lambda-gb-second"),
        ("DynamoDB: writes", units.write, "dynamodb-write-unit"),
        ("DynamoDB: reads", units.read, "dynamodb-read-unit"),
        ("SNS: events", number(counts.events), "sns-publish"),
        (
            "SNS: filters",
            number(counts.filtered_bytes) / GB,
            "sns-filtered-gb",
        ),
        ("SQS: send, receive, delete", queue_requests, "sqs-request"),
        ("SES: mails", mails, "ses-mail"),
        ("Logs: written", log_bytes / GB, "logs-ingested-gb"),
        ("X-Ray: traces, assumed", traces, "xray-trace"),
        ("Replies sent out", reply_bytes / GB, "transfer-out-gb"),
    ] {
        bill.add(prices, what, quantity / n, price)?;
    }
    Ok(bill)
}
