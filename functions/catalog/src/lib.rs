//! The catalog service: categories, products, and the stock that must never be
//! oversold.
//!
//! - [`domain`]: categories, products, searches, stock adjustments and
//!   reservations. Pure.
//! - [`store`]: the only module that knows DynamoDB.
//! - [`api`]: one handler a file. [`events`]: one consumer or job a file.
//!
//! `reserve-stock` reserves goods for an order, all lines or none, for fifteen
//! minutes. `settle-reservations` sells or releases them, as the events of the
//! order require. `expire-reservations` releases what was not sold in time.
//!
//! The available stock of a product and what is held of it are numbers on its item, or on
//! several while it sells faster than one item can be written. The first goes down and
//! the second up in the transaction that writes a reservation, and they change again in
//! the one that ends it, so the available, held and sold goods of a product always
//! add up to what was put in. Of two writers of one reservation the second fails
//! its condition, reads again, and finds nothing left to do.

use runtime::Function;

pub mod api;
mod app;
pub mod domain;
pub mod events;
mod shelves;
pub mod store;

use app::App;

/// Every function of the service.
pub fn functions() -> Vec<Function> {
    vec![
        api::create_category::function(),
        api::list_categories::function(),
        api::create_product::function(),
        api::list_products::function(),
        api::get_product::function(),
        api::adjust_stock::function(),
        api::reserve_stock::function(),
        events::settle_reservations::function(),
        events::expire_reservations::function(),
        events::relay_catalog_events::function(),
    ]
}
