//! `anonymise-orders`: removes an erased user's personal data from their orders.
//!
//! The orders stay: accounting and taxes need what was sold, when, for how much
//! and to which country. A run that is interrupted leaves a note of how far it got,
//! and the next one goes on from there.

use std::sync::Arc;

use contracts::{Envelope, events::UserErased};
use futures_util::{StreamExt, TryStreamExt, stream};
use kernel::{Limit, UserId};
use runtime::{Error, Function, Grant, grant, queue};

use crate::App;

const NAME: &str = "anonymise-orders";

const GRANTS: &[Grant] = &[
    grant("dynamodb:BatchGetItem", "OrdersTable"),
    grant("dynamodb:DeleteItem", "OrdersTable"),
    grant("dynamodb:GetItem", "OrdersTable"),
    grant("dynamodb:PutItem", "OrdersTable"),
    grant("dynamodb:Query", "OrdersTable/index/by-user"),
    grant("dynamodb:UpdateItem", "OrdersTable"),
];

/// Orders that are changed at the same time: at 5 ms each, 3,200 a second.
const CHANGES_AT_ONCE: usize = 16;

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
    let (mut after, mut count) = (app.orders.anonymised_to(user_id).await?, 0);
    loop {
        let (orders, next) = app.orders.page(user_id, Limit::MOST, after).await?;
        let named = orders.iter().filter(|stored| !stored.is_anonymous());
        let changes = named.map(|stored| app.orders.anonymise(stored.order.order_id));
        let changes: Vec<_> = changes.collect();
        count += changes.len();
        stream::iter(changes)
            .buffer_unordered(CHANGES_AT_ONCE)
            .try_collect::<()>()
            .await?;
        let Some(last) = next else {
            // The event may come again: then all orders are looked at again.
            app.orders.forget_progress(user_id).await?;
            return Ok(count);
        };
        app.orders
            .set_anonymised_to(user_id, last, app.host.now())
            .await?;
        after = Some(last);
    }
}
