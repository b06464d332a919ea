//! The service's consumers and its relay, one a file.

pub mod process_payments;
pub mod relay_payment_events;
