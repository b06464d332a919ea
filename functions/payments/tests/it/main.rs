//! The payments service, function by function, on an embedded DynamoDB.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helpers fail the test, as its own lines do"
)]

mod export_payments;
mod get_payment;
mod ledger;
mod money;
mod process_payments;
mod relay_payment_events;
mod samples;
mod till;
