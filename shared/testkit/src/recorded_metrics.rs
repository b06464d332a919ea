//! What a test's functions count.

use std::collections::BTreeMap;

use metrics::LocalRecorderGuard;
use runtime::{Environment, metrics::Emf};
use serde_json::Value;

/// Takes what this thread counts, as Lambda would; for tests that run on one
/// thread, which is what `#[tokio::test]` makes.
pub struct RecordedMetrics {
    recorder: &'static Emf,
    _here: LocalRecorderGuard<'static>,
}

impl RecordedMetrics {
    /// Begins to take.
    pub fn begin() -> Self {
        let recorder: &'static Emf = Box::leak(Box::new(Emf::new("test", &Environment::default())));
        Self {
            recorder,
            _here: metrics::set_default_local_recorder(recorder),
        }
    }

    /// The sum of each metric since the last time, by its name and labels, as
    /// in `OrdersFailed[Reason=capture_failed]`.
    pub fn take(&self) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for line in self
            .recorder
            .flush("test", kernel::Timestamp::UNIX_EPOCH)
            .lines()
        {
            let line: Value = serde_json::from_str(line).expect("a line of JSON");
            for directive in list(&line["_aws"]["CloudWatchMetrics"]) {
                let labels: Vec<String> = list(&directive["Dimensions"][0])
                    .iter()
                    .filter_map(Value::as_str)
                    .filter(|name| *name != "Shop")
                    .map(|name| format!("{name}={}", line[name].as_str().expect("a text")))
                    .collect();
                for metric in list(&directive["Metrics"]) {
                    let name = metric["Name"].as_str().expect("a name");
                    let sum = sum(&line[name]);
                    sums.insert(format!("{name}[{}]", labels.join(",")), sum);
                }
            }
        }
        sums
    }

    /// The same without how long requests took, which no test can know.
    pub fn take_untimed(&self) -> Vec<(String, f64)> {
        let all = self.take().into_iter();
        all.filter(|(name, _)| !name.starts_with("RequestLatency"))
            .collect()
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn sum(value: &Value) -> f64 {
    match value {
        Value::Array(values) => values.iter().filter_map(Value::as_f64).sum(),
        one => one.as_f64().expect("a number"),
    }
}
