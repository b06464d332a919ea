//! The invariants of ARCHITECTURE.md, each as a test.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "all of it is tests"
)]

mod current;
mod events;
mod generated;
mod health;
mod layers;
mod metrics;
mod names;
mod roles;
mod routes;
mod sources;
mod support;
mod tables;
