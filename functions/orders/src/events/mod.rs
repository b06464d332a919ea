//! The consumers and the relay, one a file.

pub mod advance_orders;
pub mod anonymise_orders;
mod apply;
mod heal_orders;
pub mod relay_order_events;
