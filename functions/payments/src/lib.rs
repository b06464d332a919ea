//! The payments service: authorises, captures and voids payments through a
//! provider, as the events of orders require, each exactly once.
//!
//! - [`domain`]: a payment, and the table of what each order event means for it
//!   ([`domain::decide`]). Pure.
//! - [`processor`]: carries out what the domain decides.
//! - [`provider`]: the payment provider behind a trait, and the sandbox.
//! - [`store`]: the only module that knows DynamoDB.
//! - [`api`]: one handler a file. [`events`]: one consumer a file.
//!
//! A call to the provider and a write to the table cannot be one transaction.
//! Two rules make up for that. Every call carries a key made of the payment's
//! id and the operation, so a repeated call is the same call. And the intent to
//! capture or void is recorded before the provider is called, so only one of
//! the two is ever attempted.

use runtime::Function;

pub mod api;
mod app;
pub mod domain;
pub mod events;
pub mod processor;
pub mod provider;
pub mod store;

pub use app::App;

/// Every function of the service, in the order in which a payment meets them.
pub fn functions() -> Vec<Function> {
    vec![
        events::process_payments::function(),
        events::relay_payment_events::function(),
        api::get_payment::function(),
        api::export_payments::function(),
    ]
}
