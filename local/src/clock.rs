//! The time, for events and logs.

use jiff::Timestamp;

pub(crate) fn now() -> Timestamp {
    runtime::Clock::system().now()
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(now().as_millisecond()).unwrap_or_default()
}
