//! The catalog service, function by function, on an embedded DynamoDB.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper fails the test, as the test's own lines do"
)]

mod adjust_stock;
mod conservation;
mod create_category;
mod create_product;
mod creating_once;
mod determinism;
mod expire_reservations;
mod fixture;
mod get_product;
mod hot_product;
mod invalid_totals;
mod list_categories;
mod list_products;
mod relay_catalog_events;
mod repeated_writes;
mod reserve_stock;
mod restored;
mod retention;
mod samples;
mod settle_reservations;
mod shards;
mod unverified_share;
