//! The orders service: takes orders, shows them, and leads each one from
//! placed to paid or to a refusal with its reason.
//!
//! - [`domain`]: the order as a fold of its events ([`domain::Order`]), and the
//!   one process manager that decides what an outside event means for it
//!   ([`domain::decide`]). Pure.
//! - [`store`]: the only place that knows DynamoDB. An order's events are its
//!   history and its outbox at once; a snapshot beside them saves the folding.
//! - [`metrics`]: what the shop's owner wants to count.
//! - [`api`]: one handler a file. [`events`]: one consumer a file.
//!
//! The rule of the whole: never take money for goods that are not there, never
//! hold goods for money that will not come, never do either twice. Payments
//! and catalog obey this service's events and answer with theirs; neither
//! decides about an order.

use std::sync::Arc;

use kernel::Clock;
use runtime::{Environment, Function};

pub mod api;
pub mod domain;
pub mod events;
pub mod metrics;
pub mod store;

use store::OrderStore;

/// What most functions of the service share.
#[derive(Debug)]
pub struct App {
    /// The orders.
    pub orders: OrderStore,
    /// The time.
    pub clock: Clock,
}

impl App {
    /// The service on the table in `TABLE`.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn start(environment: Environment) -> Result<Self, runtime::Error> {
        Self::start_at(environment, Clock::System).await
    }

    /// The same with a clock of one's own.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn start_at(environment: Environment, clock: Clock) -> Result<Self, runtime::Error> {
        let orders = OrderStore::open(&environment).await?;
        Ok(Self { orders, clock })
    }

    async fn shared(environment: Environment) -> Result<Arc<Self>, runtime::Error> {
        Self::start(environment).await.map(Arc::new)
    }
}

/// Every function of the service.
pub fn functions() -> Vec<Function> {
    vec![
        api::place_order::function(),
        api::list_orders::function(),
        api::get_order::function(),
        api::get_order_history::function(),
        api::export_orders::function(),
        events::advance_orders::function(),
        events::anonymise_orders::function(),
        events::relay_order_events::function(),
    ]
}
