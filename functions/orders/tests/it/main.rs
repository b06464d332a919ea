//! The orders service, function by function, on an embedded DynamoDB.

mod advance_orders;
mod catalog;
mod get_order;
mod get_order_history;
mod list_orders;
mod place_order;
mod relay_order_events;
mod samples;
mod shop;
