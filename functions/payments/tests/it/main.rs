//! The payments service, function by function, on an embedded DynamoDB.

mod get_payment;
mod ledger;
mod money;
mod process_payments;
mod relay_payment_events;
mod samples;
mod till;
