//! The shells and clients, against peers that speak HTTP.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helpers fail the test, as its own lines do"
)]

mod breaker;
