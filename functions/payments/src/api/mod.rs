//! The functions that are called, one a file.

pub mod export_payments;
pub mod get_payment;
mod views;
