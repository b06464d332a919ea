//! The edge's functions, invoked as API Gateway invokes them.

#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

mod health;
mod reject_unknown_route;
mod sample_events;
