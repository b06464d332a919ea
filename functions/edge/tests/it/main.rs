//! The edge's functions, invoked as API Gateway invokes them.

#![expect(
    clippy::unwrap_used,
    reason = "a helper fails the test, as the test's own lines do"
)]

mod fixture;
mod health;
mod reject_unknown_route;
mod samples;
