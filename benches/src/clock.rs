//! The only place where this crate reads the time: it measures real durations.

use std::time::Instant;

use kernel::Timestamp;
use runtime::Clock;

/// A point in time to measure from.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures real durations"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The date and time.
pub(crate) fn time() -> Timestamp {
    Clock::system().now()
}
