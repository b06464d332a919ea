//! The invariants of ARCHITECTURE.md, each as a test.

mod events;
mod names;
mod roles;
mod routes;
mod sources;
mod support;
mod tables;
