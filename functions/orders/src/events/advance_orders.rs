//! `advance-orders`: moves orders on as payments and catalog report.
//!
//! A transition is one transaction, so it happens entirely or not at all. It
//! records the id of the event that caused it, so a repeated event has no
//! effect. If two events race, the order's version lets one through, and the
//! other is decided again.

use contracts::{Envelope, ReadEventError};
use dynamo::{Attempts, CommitError, StoreError};
use kernel::OrderId;
use runtime::{Function, Grant, grant, queue};

use super::apply::apply;
use crate::{
    App,
    domain::{Decision, ExternalEvent, decide},
    metrics,
};

const NAME: &str = "advance-orders";

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "OrdersTable"),
    grant("dynamodb:PutItem", "OrdersTable"),
    grant("dynamodb:UpdateItem", "OrdersTable"),
];

pub fn function() -> Function {
    queue::consumer(NAME, GRANTS, App::start, |app, event| async move {
        Ok(advance_order(&app, event).await?)
    })
}

#[derive(Debug, thiserror::Error)]
enum AdvanceOrderError {
    #[error("there is no order {0}")]
    NotFound(OrderId),
    #[error("deferred: {0}")]
    Deferred(&'static str),
    #[error("order {0} changed during every attempt")]
    Contended(OrderId),
    /// Repeating does not help, and the shell finds that among the sources.
    #[error("the event cannot be read")]
    Read(#[from] ReadEventError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

async fn advance_order(app: &App, trigger: Envelope) -> Result<(), AdvanceOrderError> {
    let Some(event) = ExternalEvent::read(&trigger)? else {
        return Ok(());
    };
    let order_id = event.order_id();
    let mut attempts = Attempts::new(app.host.random());
    while attempts.next().await {
        let Some(stored) = app.orders.find(order_id).await? else {
            return if event.may_lack_order() {
                Ok(())
            } else {
                Err(AdvanceOrderError::NotFound(order_id))
            };
        };
        if stored.has_seen(&trigger) {
            return Ok(());
        }
        let transition = match decide(&stored.order, &event) {
            Decision::Apply(transition) => transition,
            Decision::Ignore(reason) => {
                let event_type = trigger.event_type;
                tracing::debug!(event_type, %order_id, reason, "event ignored");
                return Ok(());
            }
            Decision::Remind => {
                app.orders.remind(&stored.order, app.host.now()).await?;
                return Ok(());
            }
            Decision::Close => return Ok(app.orders.close(order_id).await?),
            Decision::Defer(reason) => return Err(AdvanceOrderError::Deferred(reason)),
            Decision::Contradiction(reason) => {
                let now = app.host.now();
                let recorded = app
                    .orders
                    .record_contradiction(&trigger, order_id, reason, now);
                return Ok(recorded.await?);
            }
        };
        let stamp = app.host.stamp(app.host.now(), &trigger.cause(NAME));
        match apply(&app.orders, &stored, &transition, &trigger, stamp).await {
            Ok(()) => {
                metrics::record_transition(&stored.order, &transition);
                return Ok(());
            }
            // The order changed in between, or this was written and the store's
            // reply was lost. Reading it again shows which.
            Err(CommitError::ConditionFailed(_)) => {}
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    Err(AdvanceOrderError::Contended(order_id))
}
