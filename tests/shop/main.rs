//! The shop as its clients see it. With `BASE_URL` (and `INTERNAL_KEY`) set,
//! these tests run against that shop; otherwise one is started in this process
//! from `template.yaml`, on a free port and in memory.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this crate consists of tests"
)]

mod accounts;
mod catalogue;
mod gateway;
mod input;
mod kill;
mod laptop;
mod leaving;
mod limits;
mod logs;
mod matrix;
mod metrics;
mod mfa;
mod notifications;
mod orders;
mod process;
mod races;
mod secrets;
mod support;
