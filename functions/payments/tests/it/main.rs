//! The payments service, function by function, on an embedded DynamoDB.

#![expect(
    clippy::unwrap_used,
    reason = "a helper fails the test, as the test's own lines do"
)]

mod conservation;
mod export_payments;
mod fixture;
mod get_payment;
mod interrupted_processing;
mod process_payments;
mod recording_provider;
mod relay_payment_events;
mod retention;
mod samples;
