//! The orders service, function by function, on an embedded DynamoDB.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helpers fail the test, as its own lines do"
)]

mod advance_orders;
mod anonymise_orders;
mod catalog;
mod export_orders;
mod get_order;
mod get_order_history;
mod list_orders;
mod metrics;
mod place_order;
mod place_order_once;
mod relay_order_events;
mod samples;
mod shop;
