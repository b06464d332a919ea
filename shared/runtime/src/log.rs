//! Logs: JSON, one line for each request, message or run, with its request id
//! and correlation id. A failure is logged once, where it is handled. Never in
//! a log: bodies, e-mail addresses, tokens, keys.

use tracing_subscriber::{
    Layer, filter::Targets, fmt, fmt::MakeWriter, layer::SubscriberExt, registry,
    util::SubscriberInitExt,
};

use crate::Environment;

/// The variable that sets what is logged: `info`, or `warn,orders=debug`.
const LEVELS: &str = "RUST_LOG";

/// Sends `tracing` events to standard error as JSON, from `info` on or as
/// `RUST_LOG` says. A second call changes nothing.
pub fn init() {
    // Fails only if there is a subscriber already, which then stays.
    let _ = write("info", std::io::stderr);
}

/// Writes `tracing` events as JSON lines: those that `RUST_LOG` selects or, if it
/// is not set or invalid, those of `levels`.
///
/// # Errors
/// When there is a subscriber already.
pub fn write<W>(levels: &str, writer: W) -> Result<(), crate::Error>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let environment = Environment::from_process();
    // Not `EnvFilter`: its regular expressions would be a tenth of every binary.
    let selected = environment.get(LEVELS).map(str::parse::<Targets>);
    let filter = match selected {
        Some(Ok(filter)) => filter,
        _ => levels.parse()?,
    };
    let lines = fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_writer(writer);
    registry().with(lines.with_filter(filter)).try_init()?;
    Ok(())
}

/// An error with its sources, outermost first: `place order: put item: timeout`.
pub fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
