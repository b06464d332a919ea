//! The invariants of ARCHITECTURE.md, each as a test.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "all of it is tests"
)]

mod events;
mod health;
mod metrics;
mod names;
mod roles;
mod routes;
mod sources;
mod support;
mod tables;
