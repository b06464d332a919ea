//! The shells and clients, over HTTP and JSON as in Lambda.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helpers fail the test, as its own lines do"
)]

mod breaker;
mod edge;
mod http;
mod queue;
mod secrets;
