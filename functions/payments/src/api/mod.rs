//! The service's HTTP functions, one a file.

pub mod export_payments;
pub mod get_payment;
