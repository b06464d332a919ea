//! The payments service: asks a provider to promise, take or give back money,
//! as the orders say, once each.
//!
//! - [`domain`]: a payment, and the table of what an order's event means for it
//!   ([`domain::decide`]). Pure.
//! - [`provider`]: the payment provider behind a trait, and the sandbox.
//! - [`store`]: the only place that knows DynamoDB.
//! - [`api`]: one handler a file. [`events`]: one consumer a file.
//!
//! A call to the provider and a write to the table cannot be one transaction.
//! What holds them together: every call bears a key made of the payment's id
//! and the operation, so that a repetition is the same call; and before money
//! is taken or given back, the intent to do so is written, so that of the two
//! only one is ever begun.

use std::sync::Arc;

use kernel::Clock;
use runtime::{Environment, Function};

pub mod api;
pub mod domain;
pub mod events;
pub mod provider;
pub mod store;

use store::PaymentStore;

/// What the service's API functions share.
#[derive(Debug)]
pub struct App {
    /// The payments.
    pub payments: PaymentStore,
    /// The time.
    pub clock: Clock,
}

impl App {
    /// The service on the table in `TABLE`.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn start(environment: Environment) -> Result<Arc<Self>, runtime::Error> {
        let payments = PaymentStore::open(&environment).await?;
        let clock = Clock::System;
        Ok(Arc::new(Self { payments, clock }))
    }
}

/// Every function of the service.
pub fn functions() -> Vec<Function> {
    vec![
        api::get_payment::function(),
        api::export_payments::function(),
        events::process_payments::function(),
        events::relay_payment_events::function(),
    ]
}
