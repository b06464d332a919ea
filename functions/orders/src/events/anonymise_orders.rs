//! `anonymise-orders`: takes somebody who was erased out of their orders.
//!
//! The orders stay: what was sold when, for how much and into which country is
//! what the books and the taxes need. Who and at which door goes. It may run
//! twice, or die on its way: doing it again does what is left.

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

/// The function `anonymise-orders`.
pub fn function() -> Function {
    queue::consumer(NAME, GRANTS, App::start, anonymise_orders)
}

/// Anonymises every order of whoever the event is about.
///
/// # Errors
/// When the event does not read or the store fails; it then comes again.
pub async fn anonymise_orders(app: Arc<App>, event: Envelope) -> Result<(), Error> {
    if !event.is::<UserErased>() {
        return Ok(());
    }
    let erased: UserErased = event.read()?;
    let count = anonymise(&app, erased.user_id).await?;
    tracing::info!(
        function = NAME,
        correlation_id = event.correlationid,
        orders = count,
        "orders anonymised"
    );
    Ok(())
}

async fn anonymise(app: &App, user_id: UserId) -> Result<usize, Error> {
    let (mut after, mut count) = (None, 0);
    loop {
        let (orders, next) = app.orders.page(user_id, Limit::MOST, after).await?;
        // Those that an earlier try has done are passed over, so that each try
        // gets further, however many there are.
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
