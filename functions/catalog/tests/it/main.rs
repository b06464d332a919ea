//! The catalog service, function by function, on an embedded DynamoDB.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helpers fail the test, as its own lines do"
)]

mod adjust_stock;
mod conservation;
mod create_category;
mod create_product;
mod expire_reservations;
mod get_product;
mod list_categories;
mod list_products;
mod lost_replies;
mod relay_catalog_events;
mod reserve_stock;
mod samples;
mod settle_reservations;
mod shop;
