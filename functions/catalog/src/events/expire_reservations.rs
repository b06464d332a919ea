//! `expire-reservations`: ends the reservations whose hold period is over,
//! every minute.
//!
//! If another run, or an event of the order, changes a reservation at the same
//! time, its version has changed, and this run leaves it alone.

use contracts::Envelope;
use dynamo::StoreError;
use futures_util::future::join_all;
use kernel::{Actor, Cause, OrderId};
use runtime::{Function, Grant, grant, schedule};
use serde::Serialize;

use crate::{
    App,
    domain::Transition,
    store::{ApplyTransitionError, EXPIRY_SHARDS},
};

const NAME: &str = "expire-reservations";

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:PutItem", "CatalogTable"),
    grant("dynamodb:UpdateItem", "CatalogTable"),
    grant("dynamodb:Query", "CatalogTable/index/by-expiry"),
];

/// Reservations of one shard that a run ends: at some 20 ms each, well within
/// the function's ten seconds. The next run goes on.
const OVERDUE_MAX: usize = 100;

pub fn function() -> Function {
    schedule::job(NAME, GRANTS, App::start, |app| async move {
        Ok(expire_reservations(&app).await?)
    })
}

#[derive(Default, Serialize)]
struct Report {
    expired: usize,
}

#[derive(Debug, thiserror::Error)]
enum ExpireReservationsError {
    /// What was sold since the time that the table was restored from shows as held:
    /// its goods must not be sold again.
    #[error("the table was restored, and its reservations are not reconciled with orders")]
    NotReconciled,
    #[error("a product of reservation {0} does not exist, so its goods cannot be restocked")]
    ProductMissing(OrderId),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns the first error, but only after everything else was attempted: one
/// reservation that cannot be ended does not block the others.
async fn expire_reservations(app: &App) -> Result<Report, ExpireReservationsError> {
    if app.catalog.is_restored().await? {
        return Err(ExpireReservationsError::NotReconciled);
    }
    let shards = (0..EXPIRY_SHARDS).map(|shard| expire_shard(app, shard));
    let mut report = Report::default();
    let mut first_error = None;
    for outcome in join_all(shards).await.into_iter().flatten() {
        match outcome {
            Ok(expired) => report.expired += usize::from(expired),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    first_error.map_or(Ok(report), Err)
}

async fn expire_shard(app: &App, shard: u8) -> Vec<Result<bool, ExpireReservationsError>> {
    let overdue = app.catalog.overdue(shard, app.host.now(), OVERDUE_MAX);
    let order_ids = match overdue.await {
        Ok(order_ids) => order_ids,
        Err(error) => return vec![Err(error.into())],
    };
    let mut outcomes = Vec::with_capacity(order_ids.len());
    for order_id in order_ids {
        outcomes.push(expire(app, order_id).await);
    }
    outcomes
}

/// Returns whether this run ended the reservation.
async fn expire(app: &App, order_id: OrderId) -> Result<bool, ExpireReservationsError> {
    let Some(reservation) = app.catalog.reservation(order_id).await? else {
        return Ok(false);
    };
    let Some(transition) = reservation.expire(app.host.now()) else {
        return Ok(false);
    };
    let events = envelopes(app, &transition);
    let applied = app.catalog.apply(Some(&reservation), &transition, &events);
    match applied.await {
        Ok(()) => Ok(true),
        Err(ApplyTransitionError::Changed) => Ok(false),
        Err(ApplyTransitionError::ProductMissing) => {
            Err(ExpireReservationsError::ProductMissing(order_id))
        }
        Err(ApplyTransitionError::Store(error)) => Err(error.into()),
    }
}

/// No request or event caused this run, so its events continue the chain in
/// which the reservation was made.
fn envelopes(app: &App, transition: &Transition) -> Vec<Envelope> {
    let reservation = &transition.reservation;
    let cause = Cause::new(
        reservation.correlation_id.clone(),
        reservation.correlation_id.clone(),
        Actor::Function(NAME),
    );
    transition.envelopes(|| app.host.stamp(reservation.updated_at, &cause))
}
