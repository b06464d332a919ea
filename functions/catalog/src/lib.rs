//! The catalog service: categories, products, and the stock that nobody may
//! sell twice.
//!
//! - [`domain`]: what a category, a product, a search, a change of stock and a
//!   reservation are, and what may become of them. Pure.
//! - [`store`]: the only place that knows DynamoDB. What can be ordered of a
//!   product is one number on its item; it goes down in the transaction that
//!   holds goods for an order, and up in the one that gives them back.
//! - [`api`]: one handler a file. [`events`]: one consumer or job a file.
//!
//! The life of goods: `reserve-stock` holds them for an order, all lines or
//! none, for fifteen minutes. `settle-reservations` sells or gives back what
//! is held, as orders says. `expire-reservations` gives back what was held too
//! long. At every moment, for every product: what can be ordered, what is held
//! and what is sold add up to what was put in. Whoever comes second, by
//! repetition, race or lateness, finds the reservation changed and does
//! nothing.

use std::sync::Arc;

use kernel::{Clock, Currency};
use runtime::{Environment, EnvironmentError, Function};

pub mod api;
pub mod domain;
pub mod events;
pub mod store;

use store::CatalogStore;

/// What most functions of the service share.
#[derive(Clone, Debug)]
pub struct App {
    /// Categories, products and reservations.
    pub store: CatalogStore,
    /// The time.
    pub clock: Clock,
}

impl App {
    /// The service on the table in `TABLE`, with a clock of one's own.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn start_at(environment: Environment, clock: Clock) -> Result<Self, runtime::Error> {
        let store = CatalogStore::open(&environment).await?;
        Ok(Self { store, clock })
    }

    async fn shared(environment: Environment, clock: Clock) -> Result<Arc<Self>, runtime::Error> {
        Self::start_at(environment, clock).await.map(Arc::new)
    }
}

/// The currency of prices that name none, from `SHOP_CURRENCY`.
fn shop_currency(environment: &Environment) -> Result<Currency, EnvironmentError> {
    environment.parse_or(
        "SHOP_CURRENCY",
        Currency::USD,
        "a currency code of ISO 4217",
    )
}

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
