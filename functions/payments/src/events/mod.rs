//! The queue consumer and the relay, one a file.

pub mod process_payments;
pub mod relay_payment_events;
