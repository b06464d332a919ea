//! `expire-reservations`: gives back what was held too long, every minute.
//!
//! Two rounds at once, or a round and an event of the order: the reservation's
//! version decides, and whoever comes second leaves it alone.

use std::sync::Arc;

use contracts::Envelope;
use dynamo::{CommitError, StoreError};
use futures_util::future::join_all;
use kernel::{Actor, Cause, Clock, OrderId};
use runtime::{Function, Grant, grant, schedule};
use serde::Serialize;

use crate::{App, domain::Step, store::HOLDING_SHARDS};

const NAME: &str = "expire-reservations";

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:PutItem", "CatalogTable"),
    grant("dynamodb:UpdateItem", "CatalogTable"),
    grant("dynamodb:Query", "CatalogTable/index/by-expiry"),
];

/// Holds of one shard that a round gives back: at some 20 ms each this is well
/// within the function's ten seconds. The next round goes on.
const OVERDUE_MAX: i32 = 100;

/// The function `expire-reservations`.
pub fn function() -> Function {
    function_at(Clock::System)
}

/// The same with a clock of one's own.
pub fn function_at(clock: Clock) -> Function {
    schedule::job(
        NAME,
        GRANTS,
        move |environment| App::start_at(environment, clock.clone()),
        |app| async move { Ok(expire_reservations(app).await?) },
    )
}

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Round {
    /// Holds that it ended.
    pub expired: usize,
}

/// Why a round could not end every hold.
#[derive(Debug, thiserror::Error)]
pub enum ExpireReservationsError {
    /// A product that goods are to go back to is not there.
    #[error("goods of order {0} cannot go back")]
    NoWayBack(OrderId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Ends every hold whose time is over.
///
/// # Errors
/// The first failure, after everything else was tried: one hold that cannot
/// end does not keep the others.
pub async fn expire_reservations(app: Arc<App>) -> Result<Round, ExpireReservationsError> {
    let shards = (0..HOLDING_SHARDS).map(|shard| expire_shard(&app, shard));
    let mut round = Round::default();
    let mut failure = None;
    for outcome in join_all(shards).await.into_iter().flatten() {
        match outcome {
            Ok(expired) => round.expired += usize::from(expired),
            Err(error) => drop(failure.get_or_insert(error)),
        }
    }
    failure.map_or(Ok(round), Err)
}

async fn expire_shard(app: &App, shard: u8) -> Vec<Result<bool, ExpireReservationsError>> {
    let overdue = match app.store.overdue(shard, app.clock.now(), OVERDUE_MAX).await {
        Ok(overdue) => overdue,
        Err(error) => return vec![Err(error.into())],
    };
    let mut outcomes = Vec::with_capacity(overdue.len());
    for order_id in overdue {
        outcomes.push(expire(app, order_id).await);
    }
    outcomes
}

/// Ends one hold; tells whether it did, or somebody else had.
async fn expire(app: &App, order_id: OrderId) -> Result<bool, ExpireReservationsError> {
    let Some(stored) = app.store.reservation(order_id).await? else {
        return Ok(false);
    };
    let Some(step) = stored.expire(app.clock.now()) else {
        return Ok(false);
    };
    let events = events(&step);
    match app.store.step(Some(&stored), &step, &events).await {
        Ok(()) => Ok(true),
        Err(CommitError::ConditionFailed(refused)) if refused.names("reservation") => Ok(false),
        Err(CommitError::ConditionFailed(_)) => Err(ExpireReservationsError::NoWayBack(order_id)),
        Err(CommitError::Store(error)) => Err(error.into()),
    }
}

/// What is said, as events of the chain in which the goods were held.
fn events(step: &Step) -> Vec<Envelope> {
    let cause = Cause {
        correlation_id: step.next.correlation_id.clone(),
        causation_id: step.next.correlation_id.clone(),
        actor: Actor::Function(NAME),
    };
    let say = |said: &crate::domain::Said| said.envelope(step.next.updated_at, &cause);
    step.says.iter().map(say).collect()
}
