//! The functions that are called, one a file.

mod errors;
pub mod export_orders;
pub mod get_order;
pub mod get_order_history;
pub mod list_orders;
mod order_limits;
pub mod place_order;
mod views;
