//! The recorder for Lambda: collects the metrics of an invocation and writes them
//! as lines in CloudWatch's embedded metric format, from which CloudWatch Logs
//! extracts metrics without a call, a permission or an agent.
//!
//! It is our own because the existing crates repeat every gauge with every flush
//! and write a line for each combination of labels, and logs are billed by the
//! byte (docs/decisions/0008-metrics.md).

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ::metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::Environment;

/// The namespace of every metric.
const NAMESPACE: &str = "Emporium";
/// The dimension that every metric has: which shop of the account.
const SHOP: &str = "Shop";
/// The variable that names the shop; the template sets it to the stack's name.
const SHOP_VARIABLE: &str = "SHOP_STACK";
const SHOP_DEFAULT: &str = "emporium";
/// Values of one metric in one line (a limit of the format).
const VALUES_MAX: usize = 100;
/// Metrics in one line (a limit of the format).
const METRICS_MAX: usize = 100;

/// Keeps metrics until they are flushed. Clones share what they keep.
#[derive(Clone, Debug)]
pub struct Emf(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    shop: String,
    function: &'static str,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    units: BTreeMap<KeyName, &'static str>,
    /// A list and no map: an invocation counts a handful of things.
    samples: Vec<(Key, Sample)>,
}

#[derive(Debug)]
enum Sample {
    Count(u64),
    Last(f64),
    Values(Vec<f64>),
}

impl Emf {
    /// A recorder for one function, of the shop that the environment names.
    pub fn new(function: &'static str, environment: &Environment) -> Self {
        let shop = environment.get(SHOP_VARIABLE).unwrap_or(SHOP_DEFAULT);
        Self(Arc::new(Kept {
            shop: shop.to_owned(),
            function,
            state: Mutex::default(),
        }))
    }

    /// What was counted since the last flush, as lines; no text when that is
    /// nothing. What fits into one line is one: they are paid for by the byte.
    pub fn flush(&self, request_id: &str, now: Timestamp) -> String {
        let mut state = self.0.state();
        let samples = std::mem::take(&mut state.samples);
        let mut lines: Vec<Line<'_>> = Vec::new();
        for (key, sample) in &samples {
            let unit = state.units.get(key.name()).copied();
            for value in sample.values() {
                let place = lines.iter().position(|line| line.takes(key));
                let place = place.unwrap_or_else(|| {
                    lines.push(self.0.line(request_id, now));
                    lines.len() - 1
                });
                lines[place].add(key, unit, value);
            }
        }
        lines.iter().fold(String::new(), |mut text, line| {
            if let Ok(json) = serde_json::to_string(line) {
                // Writing to a string does not fail.
                let _ = writeln!(text, "{json}");
            }
            text
        })
    }
}

impl Kept {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn describe(&self, name: KeyName, unit: Option<Unit>) {
        let Some(unit) = unit.and_then(name_of) else {
            return;
        };
        self.state().units.insert(name, unit);
    }

    fn keep(&self, key: &Key, begin: fn() -> Sample, change: impl FnOnce(&mut Sample)) {
        let samples = &mut self.state().samples;
        let place = samples.iter().position(|(kept, _)| kept == key);
        let place = place.unwrap_or_else(|| {
            samples.push((key.clone(), begin()));
            samples.len() - 1
        });
        change(&mut samples[place].1);
    }

    fn line<'a>(&'a self, request_id: &'a str, now: Timestamp) -> Line<'a> {
        let text = |text: &str| Value::String(text.to_owned());
        let members = [
            (SHOP, text(&self.shop)),
            // No dimensions: to be searched for beside the logs.
            ("Function", text(self.function)),
            ("RequestId", text(request_id)),
        ];
        Line {
            aws: Aws {
                timestamp: now.as_millisecond(),
                cloud_watch_metrics: Vec::new(),
            },
            members: members.into_iter().collect(),
        }
    }
}

/// CloudWatch's name of a unit, of those that are in use here.
const fn name_of(unit: Unit) -> Option<&'static str> {
    match unit {
        Unit::Count => Some("Count"),
        Unit::Milliseconds => Some("Milliseconds"),
        Unit::Seconds => Some("Seconds"),
        Unit::Bytes => Some("Bytes"),
        _ => None,
    }
}

impl Sample {
    /// The values as the format takes them, in pieces that it takes.
    fn values(&self) -> Vec<Value> {
        match self {
            Self::Count(count) => vec![Value::from(*count)],
            // JSON has no name for what is not a number.
            Self::Last(value) if !value.is_finite() => Vec::new(),
            Self::Last(value) => vec![Value::from(*value)],
            Self::Values(values) => match values.as_slice() {
                [one] => vec![Value::from(*one)],
                many => many.chunks(VALUES_MAX).map(Value::from).collect(),
            },
        }
    }
}

/// One line of the format.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "_aws")]
    aws: Aws<'a>,
    /// Values of dimensions, metrics and properties, side by side.
    #[serde(flatten)]
    members: BTreeMap<&'a str, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Aws<'a> {
    timestamp: i64,
    cloud_watch_metrics: Vec<Directive<'a>>,
}

/// Metrics that have the same dimensions.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'static str,
    dimensions: [Vec<&'a str>; 1],
    metrics: Vec<Named<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Named<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
}

impl<'a> Line<'a> {
    /// Whether a metric's name is free and its dimensions have no other value.
    fn takes(&self, key: &Key) -> bool {
        let directives = &self.aws.cloud_watch_metrics;
        directives
            .iter()
            .map(|one| one.metrics.len())
            .sum::<usize>()
            < METRICS_MAX
            && !self.members.contains_key(key.name())
            && key.labels().all(|label| {
                let member = self.members.get(label.key());
                member.is_none_or(|value| value == label.value())
            })
    }

    fn add(&mut self, key: &'a Key, unit: Option<&'static str>, value: Value) {
        let labels = key.labels().map(::metrics::Label::key);
        let dimensions: Vec<&str> = [SHOP].into_iter().chain(labels).collect();
        let directives = &mut self.aws.cloud_watch_metrics;
        let place = directives
            .iter()
            .position(|directive| directive.dimensions[0] == dimensions);
        let place = place.unwrap_or_else(|| {
            directives.push(Directive {
                namespace: NAMESPACE,
                dimensions: [dimensions],
                metrics: Vec::new(),
            });
            directives.len() - 1
        });
        let name = key.name();
        directives[place].metrics.push(Named { name, unit });
        for label in key.labels() {
            self.members.insert(label.key(), label.value().into());
        }
        self.members.insert(name, value);
    }
}

impl Recorder for Emf {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.0.describe(name, unit);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.0.describe(name, unit);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.0.describe(name, unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.handle(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.handle(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.handle(key))
    }
}

impl Emf {
    fn handle(&self, key: &Key) -> Arc<Handle> {
        Arc::new(Handle {
            key: key.clone(),
            kept: self.0.clone(),
        })
    }
}

/// One metric as the facade holds it. Registering keeps nothing: only what was
/// counted is written.
struct Handle {
    key: Key,
    kept: Arc<Kept>,
}

impl Handle {
    fn count(&self, change: impl FnOnce(u64) -> u64) {
        self.kept.keep(
            &self.key,
            || Sample::Count(0),
            |sample| {
                if let Sample::Count(count) = sample {
                    *count = change(*count);
                }
            },
        );
    }

    fn last(&self, change: impl FnOnce(f64) -> f64) {
        self.kept.keep(
            &self.key,
            || Sample::Last(0.0),
            |sample| {
                if let Sample::Last(last) = sample {
                    *last = change(*last);
                }
            },
        );
    }
}

impl CounterFn for Handle {
    fn increment(&self, more: u64) {
        self.count(|count| count.saturating_add(more));
    }

    fn absolute(&self, at_least: u64) {
        self.count(|count| count.max(at_least));
    }
}

#[expect(
    clippy::float_arithmetic,
    reason = "the facade's gauges are floats; nothing is decided by them"
)]
impl GaugeFn for Handle {
    fn increment(&self, more: f64) {
        self.last(|last| last + more);
    }

    fn decrement(&self, less: f64) {
        self.last(|last| last - less);
    }

    fn set(&self, now: f64) {
        self.last(|_| now);
    }
}

impl HistogramFn for Handle {
    fn record(&self, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.kept.keep(
            &self.key,
            || Sample::Values(Vec::new()),
            |sample| {
                if let Sample::Values(values) = sample {
                    values.push(value);
                }
            },
        );
    }
}

#[cfg(test)]
#[path = "emf_tests.rs"]
mod tests;
