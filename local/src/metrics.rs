//! Metrics of the shop, as Prometheus takes them: what functions count, under
//! the field's names and units, and what only the laptop knows.

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

use crate::cloud::{QueueDepth, Stop};

/// What all names begin with.
const PREFIX: &str = "emporium_";
/// Upper bounds of the buckets of durations, in seconds.
const SECONDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Upper bounds of the buckets of amounts of money, in whole units.
const AMOUNTS: [f64; 9] = [1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0];
/// How often values are sorted into their buckets when nobody scrapes.
const TIDY_EVERY: Duration = Duration::from_secs(5);
const METADATA: Metadata<'static> = Metadata::new("local", Level::INFO, None);

const INVOCATIONS: &str = "emporium_function_invocations_total";
const ERRORS: &str = "emporium_function_errors_total";
const DURATION: &str = "emporium_function_duration_seconds";
const QUEUE: &str = "emporium_queue_messages";
const DEAD_LETTERS: &str = "emporium_dead_letter_queue_messages";

tokio::task_local! {
    /// Whose function this task runs.
    static CURRENT: Arc<ShopMetrics>;
}

/// The metrics of one shop. There may be more shops than one in a process, as
/// in tests, and each counts for itself.
pub(crate) struct ShopMetrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// The units of histograms, of which their names depend.
    units: Mutex<HashMap<KeyName, Unit>>,
}

impl ShopMetrics {
    /// Metrics of a new shop, which have counted nothing.
    pub(crate) fn new() -> Result<Arc<Self>, BuildError> {
        static FACADE: Once = Once::new();
        // Fails only when there is a recorder already, which then is the one to keep.
        FACADE.call_once(|| drop(metrics::set_global_recorder(OfTheCurrentShop)));
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
            (INVOCATIONS, "Invocations of a function, however they ended"),
            (ERRORS, "Invocations of a function that failed"),
        ];
        for (name, help) in counters {
            recorder.describe_counter(name.into(), None, help.into());
        }
        let help = "How long invocations of a function took";
        recorder.describe_histogram(DURATION.into(), None, help.into());
        let gauges = [
            (QUEUE, "Messages in a queue: waiting, in flight or delayed"),
            (DEAD_LETTERS, "Messages that a dead-letter queue holds"),
        ];
        for (name, help) in gauges {
            recorder.describe_gauge(name.into(), None, help.into());
        }
    }

    /// Runs a function so that what it counts is this shop's.
    pub(crate) async fn scope<F: Future>(self: Arc<Self>, function: F) -> F::Output {
        CURRENT.scope(self, function).await
    }

    /// An invocation has ended.
    pub(crate) fn invoked(&self, function: &str, duration: Duration, failed: bool) {
        let key = |name| labelled(name, &[("function", function)]);
        let recorder = &self.recorder;
        let invocations = recorder.register_counter(&key(INVOCATIONS), &METADATA);
        invocations.increment(1);
        let errors = recorder.register_counter(&key(ERRORS), &METADATA);
        // Also when it did not fail, so that the series is there from the start.
        errors.increment(u64::from(failed));
        let durations = recorder.register_histogram(&key(DURATION), &METADATA);
        durations.record(duration);
    }

    /// What a queue holds now.
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

    /// Everything, in the text format.
    pub(crate) fn render(&self) -> String {
        self.handle.render()
    }

    /// Keeps memory bounded while nobody scrapes.
    pub(crate) fn tidy(&self, stop: Stop) -> JoinHandle<()> {
        let handle = self.handle.clone();
        tokio::spawn(async move {
            let mut stopping = std::pin::pin!(stop.wait());
            while tokio::time::timeout(TIDY_EVERY, &mut stopping)
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

/// `OrdersPlaced` as `emporium_orders_placed_total`: words apart, the unit last.
fn prometheus(name: &str, ending: &str) -> String {
    format!("{PREFIX}{}{ending}", snake(name))
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

fn renamed(key: &Key, ending: &str) -> Key {
    let labels = key
        .labels()
        .map(|label| Label::new(snake(label.key()), label.value().to_owned()));
    Key::from_parts(prometheus(key.name(), ending), labels.collect::<Vec<_>>())
}

/// What the name of a histogram ends with: Prometheus counts time in seconds.
const fn ending(unit: Option<Unit>) -> &'static str {
    match unit {
        Some(Unit::Milliseconds | Unit::Seconds) => "_seconds",
        Some(Unit::Bytes) => "_bytes",
        Some(_) => "",
        None => "_currency_units",
    }
}

/// A histogram that is given milliseconds and keeps seconds.
struct InSeconds(Histogram);

impl HistogramFn for InSeconds {
    #[expect(
        clippy::float_arithmetic,
        reason = "a metric's value is a float; nothing is decided by it"
    )]
    fn record(&self, milliseconds: f64) {
        self.0.record(milliseconds / 1_000.0);
    }
}

/// Gives what the facade brings to the shop whose function brings it.
struct OfTheCurrentShop;

/// Asks the current shop; nobody when no function is running.
fn current<T>(ask: impl FnOnce(&ShopMetrics) -> T) -> Option<T> {
    CURRENT.try_with(|shop| ask(shop)).ok()
}

impl Recorder for OfTheCurrentShop {
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
            let renamed = prometheus(name.as_str(), ending(unit)).into();
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
            let key = renamed(key, ending(unit));
            let histogram = shop.recorder.register_histogram(&key, metadata);
            match unit {
                Some(Unit::Milliseconds) => Histogram::from_arc(Arc::new(InSeconds(histogram))),
                _ => histogram,
            }
        });
        registered.unwrap_or_else(Histogram::noop)
    }
}
