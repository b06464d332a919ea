//! Logs: JSON, one line for each request, message or run, with the request's
//! and the chain's id. A failure is logged once, where it is handled. Never in
//! a log: bodies, e-mail addresses, tokens, keys.

use std::time::Instant;

use tracing_subscriber::{EnvFilter, fmt};

/// Sends `tracing` events to standard error as JSON, from `info` on or as
/// `RUST_LOG` says. A second call changes nothing.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Fails only when there is a subscriber already, which then is the one to keep.
    let _ = subscriber.try_init();
}

/// The whole milliseconds since `started`, as a number that JSON has.
pub fn millis(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// An error with its sources, outermost first: `place order: put item: timeout`.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
