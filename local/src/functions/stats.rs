//! Statistics of a function, for the dashboard.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;

use crate::clock;

/// The median is that of this many latest invocations.
const DURATIONS_KEPT: usize = 256;

/// The statistics of one function.
#[derive(Debug, Default)]
pub(crate) struct Stats(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    calls: u64,
    errors: u64,
    durations: VecDeque<Duration>,
    last_error: Option<LastError>,
}

/// The latest error.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LastError {
    message: String,
    at: String,
}

/// The statistics at one moment.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Snapshot {
    calls: u64,
    errors: u64,
    p50_us: Option<u64>,
    last_error: Option<LastError>,
}

impl Stats {
    pub(crate) fn record(&self, duration: Duration, error: Option<String>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.calls += 1;
        inner.durations.push_back(duration);
        if inner.durations.len() > DURATIONS_KEPT {
            inner.durations.pop_front();
        }
        if let Some(message) = error {
            inner.errors += 1;
            inner.last_error = Some(LastError {
                message,
                at: clock::now().to_string(),
            });
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut durations: Vec<Duration> = inner.durations.iter().copied().collect();
        durations.sort_unstable();
        let p50 = durations.get(durations.len() / 2);
        Snapshot {
            calls: inner.calls,
            errors: inner.errors,
            p50_us: p50.and_then(|p50| u64::try_from(p50.as_micros()).ok()),
            last_error: inner.last_error.clone(),
        }
    }
}
