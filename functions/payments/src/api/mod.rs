//! The service's HTTP functions, one a file.

pub mod get_payment;
