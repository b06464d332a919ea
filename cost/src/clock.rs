//! The only place where this crate reads the time: it measures real durations.

use std::time::Instant;

/// A point in time to measure from.
#[expect(
    clippy::disallowed_methods,
    reason = "the report measures real durations"
)]
pub fn now() -> Instant {
    Instant::now()
}
