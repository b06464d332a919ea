//! The queue consumer, the scheduled job and the relay, one a file.

pub mod expire_reservations;
pub mod relay_catalog_events;
pub mod settle_reservations;
