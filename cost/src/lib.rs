//! What the shop costs in AWS, measured and not estimated.
//!
//! The laptop's shop runs the very functions that run in Lambda. Here each of
//! them talks to the embedded services through a [`meter`] that asks DynamoDB
//! what every request consumed and counts all other calls; [`instrument`]
//! counts and times invocations. [`story`] drives the shop over HTTP as
//! customers do, [`pages`] reads pages of a small and of a large catalogue,
//! [`bill`] prices what was counted, and [`gate`] compares it with the figures
//! in the tree.
//!
//! The functions themselves know nothing of it.
#![expect(
    clippy::float_arithmetic,
    reason = "request units come in halves and prices in millionths of a cent; no money moves here"
)]

pub mod assumed;
pub mod bill;
pub mod counts;
pub mod gate;
pub mod idle;
pub mod instrument;
pub mod meter;
pub mod pages;
pub mod prices;
pub mod report;
pub mod story;
pub mod tree;
pub mod units;

#[cfg(test)]
mod tests;

/// Why a measurement cannot be made: told to whoever runs it.
pub type Error = Box<dyn std::error::Error + Send + Sync + 'static>;
