//! `settle-reservations`: sells or gives back what is held, as orders says.
//!
//! An event twice: its id is kept with the step that it led to. Two events at
//! once, or an event and the round of `expire-reservations`: the reservation's
//! version decides, and the second decides again on what the first made of it.
//! The function dies: the step, the goods and the answer are one transaction.

use std::sync::Arc;

use contracts::{
    Envelope, EventData, ReadEventError,
    events::{OrderAuthorized, OrderCancelled, OrderPaymentFailed},
};
use dynamo::{CommitError, StoreError};
use kernel::{Clock, OrderId};
use runtime::{Function, Grant, grant, queue};

use crate::{
    App,
    domain::{Reservation, Step},
};

const NAME: &str = "settle-reservations";

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:PutItem", "CatalogTable"),
    grant("dynamodb:UpdateItem", "CatalogTable"),
];

/// How often a reservation is read and decided on again when others change it
/// at the same time; it has fewer steps than this.
const DECISIONS_MAX: u32 = 8;

/// The function `settle-reservations`.
pub fn function() -> Function {
    function_at(Clock::System)
}

/// The same with a clock of one's own.
pub fn function_at(clock: Clock) -> Function {
    queue::consumer(
        NAME,
        GRANTS,
        move |environment| App::start_at(environment, clock.clone()),
        |app, event| async move { Ok(settle_reservation(app, event).await?) },
    )
}

/// Why an event must come again.
#[derive(Debug, thiserror::Error)]
pub enum SettleReservationError {
    /// It does not read.
    #[error(transparent)]
    Read(#[from] ReadEventError),
    /// A product that goods are to go back to is not there.
    #[error("goods of order {0} cannot go back")]
    NoWayBack(OrderId),
    /// Others changed the reservation through all tries.
    #[error("the reservation of order {0} kept changing")]
    Contended(OrderId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an order says about its goods.
#[derive(Clone, Copy)]
enum Word {
    /// They are paid for as soon as they are sold.
    Authorized(OrderId),
    /// It does not want them any more.
    Over(OrderId),
}

impl Word {
    fn read(event: &Envelope) -> Result<Option<Self>, ReadEventError> {
        Ok(Some(match event.event_type.as_str() {
            OrderAuthorized::TYPE => Self::Authorized(event.read::<OrderAuthorized>()?.order_id),
            OrderCancelled::TYPE => Self::Over(event.read::<OrderCancelled>()?.order_id),
            OrderPaymentFailed::TYPE => Self::Over(event.read::<OrderPaymentFailed>()?.order_id),
            _ => return Ok(None),
        }))
    }

    const fn order_id(self) -> OrderId {
        match self {
            Self::Authorized(id) | Self::Over(id) => id,
        }
    }
}

/// Does what an order's event says about its goods.
///
/// # Errors
/// [`SettleReservationError`]; the queue then brings the event again.
pub async fn settle_reservation(
    app: Arc<App>,
    event: Envelope,
) -> Result<(), SettleReservationError> {
    let Some(word) = Word::read(&event)? else {
        return Ok(());
    };
    let order_id = word.order_id();
    for _ in 0..DECISIONS_MAX {
        let stored = app.store.reservation(order_id).await?;
        let Some(step) = decide(&app, word, stored.as_ref(), &event) else {
            return Ok(());
        };
        match take(&app, stored.as_ref(), &step, &event).await {
            Ok(()) => return Ok(()),
            // It changed meanwhile; or it was we and the answer was lost,
            // which the next reading shows.
            Err(CommitError::ConditionFailed(refused)) if refused.names("reservation") => {}
            Err(CommitError::ConditionFailed(_)) => {
                return Err(SettleReservationError::NoWayBack(order_id));
            }
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    Err(SettleReservationError::Contended(order_id))
}

fn decide(app: &App, word: Word, stored: Option<&Reservation>, event: &Envelope) -> Option<Step> {
    let now = app.clock.now();
    match (word, stored) {
        (Word::Authorized(_), Some(stored)) => stored.authorize(&event.dedup_key(), now),
        (Word::Authorized(id), None) => Some(Reservation::missing(id, event, now)),
        (Word::Over(_), Some(stored)) => stored.release(&event.dedup_key(), now),
        // There is nothing to give back. A hold comes before its order, so
        // none can come after this; if one did, it would run out.
        (Word::Over(_), None) => None,
    }
}

async fn take(
    app: &App,
    stored: Option<&Reservation>,
    step: &Step,
    because: &Envelope,
) -> Result<(), CommitError> {
    let cause = because.cause(NAME);
    let say = |said: &crate::domain::Said| said.envelope(step.next.updated_at, &cause);
    let events: Vec<Envelope> = step.says.iter().map(say).collect();
    app.store.step(stored, step, &events).await
}
