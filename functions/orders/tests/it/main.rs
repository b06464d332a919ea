//! The orders service, function by function, on an embedded DynamoDB.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper fails the test, as the test's own lines do"
)]

mod advance_orders;
mod anonymise_orders;
mod cancel_order;
mod determinism;
mod export_orders;
mod external_events;
mod fixture;
mod get_order;
mod get_order_history;
mod list_orders;
mod metrics;
mod order_limits;
mod place_order;
mod place_order_idempotency;
mod place_order_time;
mod relay_order_events;
mod samples;
mod shared_addresses;
mod slow_store;
mod stub_catalog;
