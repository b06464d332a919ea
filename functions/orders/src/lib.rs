//! The orders service: places orders, shows them, and takes each one from
//! placed to confirmed, or to a failure with its reason.
//!
//! - [`domain`]: the order as the fold of its events ([`domain::Order`]), and
//!   what each event of another service means for it ([`domain::decide`]). Pure.
//! - [`store`]: the only module that knows DynamoDB. An order's events are both
//!   its history and its outbox; a snapshot beside them saves the folding.
//! - [`api`]: one handler a file. [`events`]: one consumer a file.
//! - [`metrics`]: the business metrics.
//!
//! The rule behind all of it: never charge for goods that are not available,
//! never reserve goods without a prospect of payment, never do either twice.
//! Payments and catalog act on this service's events and publish their
//! outcomes; only this service decides about an order.

use runtime::Function;

pub mod api;
mod app;
mod cancellation;
pub mod domain;
pub mod events;
pub mod metrics;
pub mod store;

pub use app::App;
pub use cancellation::{CancelError, cancel_order};

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
