//! `anonymise-orders`: removes an erased user's personal data from their orders.
//!
//! The orders stay: accounting and taxes need what was sold, when, for how much
//! and to which country. A repeated or interrupted run does what is left.

use std::sync::Arc;

use contracts::{Envelope, events::UserErased};
use kernel::{Limit, UserId};
use runtime::{Error, Function, Grant, grant, queue};

use crate::App;

const NAME: &str = "anonymise-orders";

const GRANTS: &[Grant] = &[
    grant("dynamodb:BatchGetItem", "OrdersTable"),
    grant("dynamodb:GetItem", "OrdersTable"),
    grant("dynamodb:Query", "OrdersTable/index/by-user"),
    grant("dynamodb:UpdateItem", "OrdersTable"),
];

pub fn function() -> Function {
    queue::consumer(NAME, GRANTS, App::start, anonymise_orders)
}

async fn anonymise_orders(app: Arc<App>, event: Envelope) -> Result<(), Error> {
    if !event.is::<UserErased>() {
        return Ok(());
    }
    let erased: UserErased = event.read()?;
    let orders = anonymise(&app, erased.user_id).await?;
    let correlation_id = event.correlationid;
    tracing::info!(function = NAME, correlation_id, orders, "orders anonymised");
    Ok(())
}

/// Returns the number of orders that it changed.
async fn anonymise(app: &App, user_id: UserId) -> Result<usize, Error> {
    let (mut after, mut count) = (None, 0);
    loop {
        let (orders, next) = app.orders.page(user_id, Limit::MOST, after).await?;
        // Skips what an earlier attempt has done, so that each attempt gets
        // further, however many orders there are.
        for stored in orders.iter().filter(|stored| !stored.is_anonymous()) {
            app.orders.anonymise(stored.order.order_id).await?;
            count += 1;
        }
        after = next;
        if after.is_none() {
            return Ok(count);
        }
    }
}
