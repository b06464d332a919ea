//! `expire-reservations`: ends the reservations whose hold period is over, and
//! tends the shards of products that sell fast, every minute.
//!
//! A run goes on while there is work and time. Reservations are ended many at a
//! time: those of one product change its numbers in one write. If another run, or an event
//! of an order, changes one of them at the same time, its version has changed, and
//! they are ended one by one; the one that has changed is left alone.

use std::{collections::BTreeSet, time::Duration};

use contracts::Envelope;
use dynamo::StoreError;
use futures_util::{StreamExt, TryStreamExt, stream};
use kernel::{Actor, Cause, OrderId};
use runtime::{Function, Grant, Stopwatch, grant, schedule};
use serde::Serialize;

use crate::{
    App,
    domain::{Reservation, Transition},
    shelves,
    store::{ApplyTransitionError, EXPIRY_SHARDS, Settled},
};

const NAME: &str = "expire-reservations";

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:BatchGetItem", "CatalogTable"),
    grant("dynamodb:PutItem", "CatalogTable"),
    grant("dynamodb:UpdateItem", "CatalogTable"),
    grant("dynamodb:DeleteItem", "CatalogTable"),
    grant("dynamodb:Query", "CatalogTable"),
    grant("dynamodb:Query", "CatalogTable/index/by-expiry"),
];

/// Reservations of one partition that are looked up at a time.
const OVERDUE_MAX: usize = 500;
/// The time after which a run begins nothing new. The function has 60 s, and
/// what it has begun takes some 10 s at worst; the next run comes after a minute.
const TIME_MAX: Duration = Duration::from_secs(45);
/// Writes of a transaction (a limit of DynamoDB).
const WRITES_MAX: usize = 100;
/// Partitions that are read at a time. Most runs find nothing, and each connection
/// that is opened for one costs more than the read.
const READS_AT_ONCE: usize = 4;
/// Transactions at a time. More would meet on the items of a product that many
/// wanted.
const CONCURRENT_MAX: usize = 4;

pub fn function() -> Function {
    schedule::job(NAME, GRANTS, App::start, |app| async move {
        Ok(expire_reservations(&app).await?)
    })
}

#[derive(Default, Serialize)]
struct Report {
    expired: usize,
    /// Left to the next run, because others were writing the same items.
    contended: usize,
    /// Products whose shards were folded.
    folded: usize,
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

/// A reservation whose hold period is over, and how it ends.
struct Overdue {
    current: Reservation,
    transition: Transition,
    events: Vec<Envelope>,
}

impl Overdue {
    fn settled(&self) -> Settled<'_> {
        Settled {
            current: Some(&self.current),
            transition: &self.transition,
            events: &self.events,
        }
    }
}

/// Returns the first error, but only after everything else was attempted: one
/// reservation that cannot be ended does not block the others.
async fn expire_reservations(app: &App) -> Result<Report, ExpireReservationsError> {
    let stopwatch = Stopwatch::start();
    if app.catalog.is_restored().await? {
        return Err(ExpireReservationsError::NotReconciled);
    }
    let mut report = Report::default();
    let mut first_error = None;
    loop {
        let overdue = find_overdue(app).await?;
        let found = overdue.len();
        let before = report.expired;
        let outcomes = stream::iter(batches(overdue))
            .map(|batch| expire_batch(app, batch, stopwatch))
            .buffer_unordered(CONCURRENT_MAX);
        let outcomes: Vec<_> = outcomes.collect().await;
        for outcome in outcomes.into_iter().flatten() {
            match outcome {
                Ok(expired) => report.expired += usize::from(expired),
                Err(ExpireReservationsError::Store(StoreError::Contended { .. })) => {
                    report.contended += 1;
                }
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        // Where nothing can be ended, or the index shows what has been, another
        // round would find the same.
        if found == 0 || report.expired == before || stopwatch.elapsed() >= TIME_MAX {
            break;
        }
    }
    match shelves::tend(&app.catalog, &app.host).await {
        Ok(folded) => report.folded = folded,
        Err(error) => drop(first_error.get_or_insert(error.into())),
    }
    first_error.map_or(Ok(report), Err)
}

/// The reservations that are over, those of one product next to each other.
async fn find_overdue(app: &App) -> Result<Vec<Overdue>, StoreError> {
    let now = app.host.now();
    let partitions: Vec<_> = stream::iter(0..EXPIRY_SHARDS)
        .map(|shard| app.catalog.overdue(shard, now, OVERDUE_MAX))
        .buffered(READS_AT_ONCE)
        .try_collect()
        .await?;
    let order_ids = partitions.concat();
    let reservations = app.catalog.reservations(order_ids).await?;
    let overdue = reservations.into_iter().filter_map(|current| {
        let transition = current.expire(now)?;
        let events = envelopes(app, &transition);
        Some(Overdue {
            current,
            transition,
            events,
        })
    });
    let mut overdue: Vec<Overdue> = overdue.collect();
    overdue.sort_by_key(|one| {
        let line = one.current.lines.first();
        let product_id = line.map(|line| line.product_id);
        (
            product_id.map(|id| (id, one.current.place_of(id))),
            one.current.order_id,
        )
    });
    Ok(overdue)
}

/// As many at a time as a transaction can end.
fn batches(overdue: Vec<Overdue>) -> Vec<Vec<Overdue>> {
    let mut batches = Vec::new();
    let (mut batch, mut places, mut writes) = (Vec::new(), BTreeSet::new(), 0);
    for one in overdue {
        let reservation = &one.current;
        let lines = reservation.lines.iter().map(|line| line.product_id);
        let its_places: Vec<_> = lines.map(|id| (id, reservation.place_of(id))).collect();
        // What came from different shards may have to go to one product, never
        // the other way around.
        places.extend(its_places.iter().copied());
        writes += 1 + one.events.len();
        if writes + places.len() > WRITES_MAX {
            batches.push(std::mem::take(&mut batch));
            writes = 1 + one.events.len();
            places = its_places.into_iter().collect();
        }
        batch.push(one);
    }
    batches.push(batch);
    batches.retain(|batch| !batch.is_empty());
    batches
}

/// Whether each reservation was ended by this run.
async fn expire_batch(
    app: &App,
    batch: Vec<Overdue>,
    since: Stopwatch,
) -> Vec<Result<bool, ExpireReservationsError>> {
    if since.elapsed() >= TIME_MAX {
        return Vec::new();
    }
    let settled: Vec<_> = batch.iter().map(Overdue::settled).collect();
    if app.catalog.apply(&settled).await.is_ok() {
        return batch.iter().map(|_| Ok(true)).collect();
    }
    let mut outcomes = Vec::with_capacity(batch.len());
    for one in &batch {
        if since.elapsed() >= TIME_MAX {
            break;
        }
        outcomes.push(expire(app, one).await);
    }
    outcomes
}

async fn expire(app: &App, one: &Overdue) -> Result<bool, ExpireReservationsError> {
    match app.catalog.apply(&[one.settled()]).await {
        Ok(()) => Ok(true),
        Err(ApplyTransitionError::Changed) => Ok(false),
        Err(ApplyTransitionError::ProductMissing) => Err(ExpireReservationsError::ProductMissing(
            one.current.order_id,
        )),
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
