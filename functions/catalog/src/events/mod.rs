//! The service's consumer, its job and its relay, one a file.

pub mod expire_reservations;
pub mod relay_catalog_events;
pub mod settle_reservations;
