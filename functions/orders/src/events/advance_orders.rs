//! `advance-orders`: moves orders on by what payments and catalog say.
//!
//! An event twice: its id is recorded with the step that it led to. The
//! function dies: the step is one transaction, done or not. Two events at
//! once: the order's version decides, and the second decides again.

use std::sync::Arc;

use contracts::{Envelope, ReadEventError};
use dynamo::{CommitError, StoreError};
use kernel::{Clock, OrderId};
use runtime::{Function, Grant, grant, queue};

use crate::{
    App,
    domain::{Decision, Input, Step, decide},
    metrics,
    store::StoredOrder,
};

const NAME: &str = "advance-orders";

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "OrdersTable"),
    grant("dynamodb:PutItem", "OrdersTable"),
    grant("dynamodb:UpdateItem", "OrdersTable"),
];

/// How often an order is read and decided again when others move it at the
/// same time; it has fewer steps than this.
const DECISIONS_MAX: u32 = 8;

/// The function `advance-orders`.
pub fn function() -> Function {
    function_at(Clock::System)
}

/// The same with a clock of one's own.
pub fn function_at(clock: Clock) -> Function {
    queue::consumer(
        NAME,
        GRANTS,
        move |environment| App::start_at(environment, clock.clone()),
        |app, event| async move { Ok(advance_order(app, event).await?) },
    )
}

/// Why an event must come again.
#[derive(Debug, thiserror::Error)]
pub enum AdvanceOrderError {
    /// Its order is not there.
    #[error("there is no order {0}")]
    Missing(OrderId),
    /// It came before its cause.
    #[error("too early: {0}")]
    TooEarly(&'static str),
    /// It cannot be true; only a person can tell why it was said.
    #[error("contradiction: {0}")]
    Contradiction(&'static str),
    /// Others moved the order through all tries.
    #[error("order {0} kept changing")]
    Contended(OrderId),
    /// It does not read.
    #[error(transparent)]
    Read(#[from] ReadEventError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Moves the order that an event is about on, if the event means that.
///
/// # Errors
/// [`AdvanceOrderError`]; the queue then brings the event again.
pub async fn advance_order(app: Arc<App>, event: Envelope) -> Result<(), AdvanceOrderError> {
    let Some(input) = Input::read(&event)? else {
        return Ok(());
    };
    let order_id = input.order_id();
    for _ in 0..DECISIONS_MAX {
        let Some(stored) = app.orders.find(order_id).await? else {
            return missing(&input);
        };
        if stored.has_seen(&event) {
            return Ok(());
        }
        let step = match decide(&stored.order, &input) {
            Decision::Step(step) => step,
            Decision::Ignore(why) => {
                tracing::debug!(event_type = event.event_type, %order_id, why, "event ignored");
                return Ok(());
            }
            Decision::NotYet(why) => return Err(AdvanceOrderError::TooEarly(why)),
            Decision::Contradiction(why) => return Err(AdvanceOrderError::Contradiction(why)),
        };
        match take(&app, &stored, &step, &event).await {
            Ok(()) => {
                metrics::stepped(&stored.order, &step);
                return Ok(());
            }
            // The order moved meanwhile; or it was we and the answer was lost,
            // which the next reading shows.
            Err(CommitError::ConditionFailed(_)) => {}
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    Err(AdvanceOrderError::Contended(order_id))
}

fn missing(input: &Input) -> Result<(), AdvanceOrderError> {
    if input.may_precede_order() {
        Ok(())
    } else {
        Err(AdvanceOrderError::Missing(input.order_id()))
    }
}

async fn take(
    app: &App,
    stored: &StoredOrder,
    step: &Step,
    because: &Envelope,
) -> Result<(), CommitError> {
    let event = step.envelope(app.clock.now(), &because.cause(NAME));
    let next = stored.order.after(step, event.time);
    app.orders.append(stored, &event, &next, because).await
}
