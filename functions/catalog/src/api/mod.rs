//! The handlers, one a file.

pub mod adjust_stock;
pub mod create_category;
pub mod create_product;
mod errors;
pub mod get_product;
mod keyed;
pub mod list_categories;
pub mod list_products;
pub mod reserve_stock;
mod views;
