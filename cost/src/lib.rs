//! What the shop costs in AWS: measured, not estimated.
//!
//! A local shop runs the same functions as Lambda. Here each of them reaches the
//! emulated services through a [`meter`], which makes DynamoDB report what every
//! request consumes and counts all other calls, while [`instrument`] counts and
//! times invocations. [`shop`] drives the shop over HTTP as customers do,
//! [`pages`] reads pages of a small and of a large catalogue, [`bill`] and
//! [`idle`] price what was counted, [`gate`] compares the result with the
//! committed figures, and [`report`] prints it.
//!
//! The functions are not aware of any of this.
#![expect(
    clippy::float_arithmetic,
    reason = "request units come in halves and prices in millionths of a cent, and no payment depends on them"
)]

pub mod assumed;
pub mod bill;
pub mod clock;
pub mod counts;
pub mod gate;
pub mod idle;
pub mod instrument;
pub mod meter;
pub mod pages;
pub mod prices;
pub mod report;
pub mod shop;
pub mod tree;
pub mod units;

#[cfg(test)]
mod tests;

/// Why a measurement failed, for the person who runs it.
pub type Error = Box<dyn std::error::Error + Send + Sync + 'static>;
