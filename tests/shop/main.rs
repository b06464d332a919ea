//! The shop as its clients see it. With `BASE_URL` set (and `INTERNAL_KEY`)
//! these run against that shop; without, one is started in this process from
//! `template.yaml`, on a free port and in memory.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "all of it is tests"
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
mod notices;
mod orders;
mod process;
mod races;
mod secrets;
mod support;
mod turn;
