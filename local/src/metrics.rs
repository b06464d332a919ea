//! Prometheus metrics: those that functions count, by Prometheus's conventions
//! for names and units, and those of the local environment.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Once, PoisonError},
    time::Duration,
};

use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Label, Level, Metadata, Recorder,
    SharedString, Unit,
};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use tokio::task::JoinHandle;

use crate::cloud::{QueueDepth, StopSignal};

/// The prefix of all names.
const PREFIX: &str = "emporium_";
/// Bucket boundaries for durations, in seconds.
const SECONDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Bucket boundaries for amounts of money, in whole units.
const AMOUNTS: [f64; 9] = [1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0];
/// How often histograms are aggregated if nobody scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);
const METADATA: Metadata<'static> = Metadata::new("local", Level::INFO, None);

const INVOCATIONS: &str = "emporium_function_invocations_total";
const ERRORS: &str = "emporium_function_errors_total";
const DURATION: &str = "emporium_function_duration_seconds";
const QUEUE: &str = "emporium_queue_messages";
const DEAD_LETTERS: &str = "emporium_dead_letter_queue_messages";

tokio::task_local! {
    /// The shop whose function this task runs.
    static CURRENT: Arc<ShopMetrics>;
}

/// The metrics of one shop. A process may run several, as tests do, and each
/// counts separately.
pub(crate) struct ShopMetrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// The units of histograms, which determine the suffixes of their names.
    units: Mutex<HashMap<KeyName, Unit>>,
}

impl ShopMetrics {
    pub(crate) fn new() -> Result<Arc<Self>, BuildError> {
        static FACADE: Once = Once::new();
        // Fails only if there is a recorder already, which is then kept.
        FACADE.call_once(|| drop(metrics::set_global_recorder(CurrentShopRecorder)));
        let seconds = Matcher::Suffix("_seconds".to_owned());
        let amounts = Matcher::Suffix("_currency_units".to_owned());
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(seconds, &SECONDS)?
            .set_buckets_for_metric(amounts, &AMOUNTS)?
            .build_recorder();
        let shop = Self {
            handle: recorder.handle(),
            recorder,
            units: Mutex::default(),
        };
        shop.describe();
        Ok(Arc::new(shop))
    }

    fn describe(&self) {
        let recorder = &self.recorder;
        let counters = [
            (INVOCATIONS, "Invocations of a function, successful or not"),
            (ERRORS, "Invocations of a function that failed"),
        ];
        for (name, help) in counters {
            recorder.describe_counter(name.into(), None, help.into());
        }
        let help = "Duration of a function's invocations";
        recorder.describe_histogram(DURATION.into(), None, help.into());
        let gauges = [
            (QUEUE, "Messages in a queue: waiting, in flight or delayed"),
            (DEAD_LETTERS, "Messages in a dead-letter queue"),
        ];
        for (name, help) in gauges {
            recorder.describe_gauge(name.into(), None, help.into());
        }
    }

    /// Runs a function whose metrics belong to this shop.
    pub(crate) async fn scope<F: Future>(self: Arc<Self>, function: F) -> F::Output {
        CURRENT.scope(self, function).await
    }

    /// Counts a finished invocation.
    pub(crate) fn invoked(&self, function: &str, duration: Duration, failed: bool) {
        let key = |name| labelled(name, &[("function", function)]);
        let recorder = &self.recorder;
        let invocations = recorder.register_counter(&key(INVOCATIONS), &METADATA);
        invocations.increment(1);
        let errors = recorder.register_counter(&key(ERRORS), &METADATA);
        // Also zero, so that the series exists from the first invocation on.
        errors.increment(u64::from(failed));
        let durations = recorder.register_histogram(&key(DURATION), &METADATA);
        durations.record(duration);
    }

    /// Sets the current depth of a queue.
    pub(crate) fn queue(&self, name: &str, dead_letters: bool, depth: QueueDepth) {
        let set = |key: &Key, messages: u64| {
            let messages = u32::try_from(messages).unwrap_or(u32::MAX);
            let gauge = self.recorder.register_gauge(key, &METADATA);
            gauge.set(f64::from(messages));
        };
        if dead_letters {
            let all = depth.waiting + depth.in_flight + depth.delayed;
            set(&labelled(DEAD_LETTERS, &[("queue", name)]), all);
            return;
        }
        for (state, messages) in [
            ("waiting", depth.waiting),
            ("in_flight", depth.in_flight),
            ("delayed", depth.delayed),
        ] {
            let labels = [("queue", name), ("state", state)];
            set(&labelled(QUEUE, &labels), messages);
        }
    }

    /// All metrics in the text format.
    pub(crate) fn render(&self) -> String {
        self.handle.render()
    }

    /// Aggregates histograms periodically, so that memory stays bounded if nobody
    /// scrapes.
    pub(crate) fn run_upkeep(&self, stop: StopSignal) -> JoinHandle<()> {
        let handle = self.handle.clone();
        tokio::spawn(async move {
            let mut stopping = std::pin::pin!(stop.wait());
            while tokio::time::timeout(UPKEEP_INTERVAL, &mut stopping)
                .await
                .is_err()
            {
                handle.run_upkeep();
            }
        })
    }

    fn unit_of(&self, name: &KeyName) -> Option<Unit> {
        let units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
        units.get(name).copied()
    }
}

fn labelled(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels = labels
        .iter()
        .map(|(name, value)| Label::new(*name, (*value).to_owned()));
    Key::from_parts(name, labels.collect::<Vec<_>>())
}

/// `OrdersPlaced` as `emporium_orders_placed_total`.
fn prometheus(name: &str, suffix: &str) -> String {
    format!("{PREFIX}{}{suffix}", snake(name))
}

fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for (index, letter) in name.chars().enumerate() {
        if index > 0 && letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn renamed(key: &Key, suffix: &str) -> Key {
    let labels = key
        .labels()
        .map(|label| Label::new(snake(label.key()), label.value().to_owned()));
    Key::from_parts(prometheus(key.name(), suffix), labels.collect::<Vec<_>>())
}

/// The suffix of a histogram's name. Prometheus measures time in seconds.
const fn suffix(unit: Option<Unit>) -> &'static str {
    match unit {
        Some(Unit::Milliseconds | Unit::Seconds) => "_seconds",
        Some(Unit::Bytes) => "_bytes",
        Some(_) => "",
        None => "_currency_units",
    }
}

/// Converts recorded milliseconds to seconds.
struct InSeconds(Histogram);

impl HistogramFn for InSeconds {
    #[expect(
        clippy::float_arithmetic,
        reason = "metric values are floats, and no decision depends on them"
    )]
    fn record(&self, milliseconds: f64) {
        self.0.record(milliseconds / 1_000.0);
    }
}

/// Forwards metrics to the shop whose function recorded them.
struct CurrentShopRecorder;

/// Calls `record` with the current shop, if a function is running.
fn current<T>(record: impl FnOnce(&ShopMetrics) -> T) -> Option<T> {
    CURRENT.try_with(|shop| record(shop)).ok()
}

impl Recorder for CurrentShopRecorder {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        let name = prometheus(name.as_str(), "_total").into();
        current(|shop| shop.recorder.describe_counter(name, None, help));
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        let name = prometheus(name.as_str(), "").into();
        current(|shop| shop.recorder.describe_gauge(name, None, help));
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        current(|shop| {
            let renamed = prometheus(name.as_str(), suffix(unit)).into();
            shop.recorder.describe_histogram(renamed, None, help);
            if let Some(unit) = unit {
                let mut units = shop.units.lock().unwrap_or_else(PoisonError::into_inner);
                units.insert(name, unit);
            }
        });
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        let key = renamed(key, "_total");
        current(|shop| shop.recorder.register_counter(&key, metadata)).unwrap_or_else(Counter::noop)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        let key = renamed(key, "");
        current(|shop| shop.recorder.register_gauge(&key, metadata)).unwrap_or_else(Gauge::noop)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        let registered = current(|shop| {
            let unit = shop.unit_of(&key.name_shared());
            let key = renamed(key, suffix(unit));
            let histogram = shop.recorder.register_histogram(&key, metadata);
            match unit {
                Some(Unit::Milliseconds) => Histogram::from_arc(Arc::new(InSeconds(histogram))),
                _ => histogram,
            }
        });
        registered.unwrap_or_else(Histogram::noop)
    }
}
