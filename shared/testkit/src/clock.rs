//! A clock that stands still until a test moves it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use kernel::{SignedDuration, Timestamp};

/// The clock of a test; its clones are the same clock.
#[derive(Clone, Debug)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    /// A clock that shows this time, to the millisecond.
    pub fn at(time: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(time.as_millisecond())))
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).expect("a time")
    }

    /// Moves it.
    pub fn advance(&self, by: SignedDuration) {
        let step = i64::try_from(by.as_millis()).expect("a duration");
        self.0.fetch_add(step, Ordering::SeqCst);
    }

    /// The clock as functions take it.
    pub fn source(&self) -> runtime::Clock {
        let clock = self.clone();
        runtime::Clock::new(move || clock.now())
    }
}
