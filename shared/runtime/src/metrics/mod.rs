//! Metrics, recorded through the `metrics` facade. In Lambda the recorder is
//! [`Emf`], which writes log lines that CloudWatch extracts metrics from; on a
//! laptop it is Prometheus (`local/`). Without a recorder, as in most tests,
//! nothing is recorded.
//!
//! CloudWatch charges 0.30 dollars a month for each combination of label values.
//! So labels have few values, all from code and none from a request; the names of
//! functions and the ids of requests are never labels.

mod emf;

use std::time::Duration;

use ::metrics::{Key, KeyName, Label, Level, Metadata, with_recorder};

pub use ::metrics::Unit;
pub use emf::Emf;

/// The origin of every metric; nothing here filters by it.
const METADATA: Metadata<'static> = Metadata::new("emporium", Level::INFO, None);

/// The description of a metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name in CloudWatch.
    pub name: &'static str,
    /// Its unit; none for an amount of money, whose label is the currency.
    pub unit: Option<Unit>,
    /// The names of its labels, in the order in which values are given; in
    /// CloudWatch they are its dimensions, after `Shop`.
    pub labels: &'static [&'static str],
    /// What it measures, in one sentence.
    pub help: &'static str,
}

impl Metric {
    fn key(&self, values: &[&str]) -> Key {
        debug_assert_eq!(self.labels.len(), values.len(), "{}", self.name);
        let label = |(name, value): (&&'static str, &&str)| Label::new(*name, (*value).to_owned());
        let labels: Vec<Label> = self.labels.iter().zip(values).map(label).collect();
        Key::from_parts(self.name, labels)
    }

    fn key_name(&self) -> KeyName {
        KeyName::from_const_str(self.name)
    }
}

/// A number of occurrences.
#[derive(Clone, Copy, Debug)]
pub struct Counter(pub Metric);

impl Counter {
    /// Counts one, for these values of its labels.
    pub fn increment(&self, values: &[&str]) {
        let (metric, key) = (&self.0, self.0.key(values));
        with_recorder(|recorder| {
            recorder.describe_counter(metric.key_name(), metric.unit, metric.help.into());
            recorder.register_counter(&key, &METADATA).increment(1);
        });
    }
}

/// A value that goes up and down.
#[derive(Clone, Copy, Debug)]
pub struct Gauge(pub Metric);

impl Gauge {
    /// Sets the value.
    pub fn set(&self, values: &[&str], value: f64) {
        let (metric, key) = (&self.0, self.0.key(values));
        with_recorder(|recorder| {
            recorder.describe_gauge(metric.key_name(), metric.unit, metric.help.into());
            recorder.register_gauge(&key, &METADATA).set(value);
        });
    }
}

/// A distribution of values.
#[derive(Clone, Copy, Debug)]
pub struct Histogram(pub Metric);

impl Histogram {
    /// Records a value.
    pub fn record(&self, values: &[&str], value: f64) {
        let (metric, key) = (&self.0, self.0.key(values));
        with_recorder(|recorder| {
            recorder.describe_histogram(metric.key_name(), metric.unit, metric.help.into());
            recorder.register_histogram(&key, &METADATA).record(value);
        });
    }

    /// Records a duration, in milliseconds.
    pub fn record_duration(&self, values: &[&str], duration: Duration) {
        self.record(values, milliseconds(duration));
    }
}

/// A duration in milliseconds, to the microsecond.
#[expect(
    clippy::float_arithmetic,
    reason = "the value of a metric is a float; no decision depends on it"
)]
fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// The metrics of the shells, which every service has.
pub const METRICS: &[Metric] = &[
    REQUEST_LATENCY.0,
    DEPENDENCY_ERRORS.0,
    BREAKER_OPEN.0,
    CONTRADICTIONS.0,
    FAILING_FOR.0,
];

/// Counted by whoever puts an event on the operator's list.
pub const CONTRADICTIONS: Counter = Counter(Metric {
    name: "Contradictions",
    unit: Some(Unit::Count),
    labels: &[],
    help: "Events that contradict what a service has recorded, on the operator's list",
});

/// SQS leaves a message that has been received three times out of the age of its oldest,
/// so an outage does not show there.
pub(crate) const FAILING_FOR: Gauge = Gauge(Metric {
    name: "FailingFor",
    unit: Some(Unit::Seconds),
    labels: &[],
    help: "Age of the oldest message of a batch that failed and will be tried again",
});

pub(crate) const REQUEST_LATENCY: Histogram = Histogram(Metric {
    name: "RequestLatency",
    unit: Some(Unit::Milliseconds),
    labels: &["Service"],
    help: "Time from the request to the reply, inside the function",
});

const DEPENDENCY_ERRORS: Counter = Counter(Metric {
    name: "DependencyErrors",
    unit: Some(Unit::Count),
    labels: &["Dependency"],
    help: "Calls to a dependency that failed after all attempts",
});

pub(crate) const BREAKER_OPEN: Gauge = Gauge(Metric {
    name: "BreakerOpen",
    unit: Some(Unit::Count),
    labels: &["Dependency"],
    help: "1 while the circuit to another service is open or half open, else 0",
});

/// A dependency, as metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependency {
    /// The tables.
    DynamoDb,
    /// The topics.
    Sns,
    /// The queues.
    Sqs,
    /// The e-mail service.
    Ses,
    /// The payment provider.
    PaymentProvider,
    /// Another service, by its name.
    Service(&'static str),
}

impl Dependency {
    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::Sns => "sns",
            Self::Sqs => "sqs",
            Self::Ses => "ses",
            Self::PaymentProvider => "payment-provider",
            Self::Service(name) => name,
        }
    }

    /// Counts a call that failed. A refusal by a condition or a rule is no
    /// failure.
    pub fn failed(self) {
        DEPENDENCY_ERRORS.increment(&[self.as_str()]);
    }
}
