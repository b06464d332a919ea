//! Cancelling an order by hand: the decision, the write and the event of the
//! service itself, for the operator's command.

use contracts::Envelope;
use dynamo::{Attempts, CommitError, StoreError};
use kernel::{Actor, Cause, OrderId};
use runtime::Host;

use crate::{
    domain::{CancelOrderError, Order, cancel},
    store::OrderStore,
};

/// Who acts, as the order's history names it.
const ACTOR: Actor = Actor::Function("operator");

/// Why an order was not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    #[error("there is no order {0}")]
    NotFound(OrderId),
    #[error(transparent)]
    Refused(#[from] CancelOrderError),
    #[error("the order changed during every attempt")]
    Contended,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Cancels an order whose goods are not sold, and returns it as it is then. Its
/// event releases the goods and voids what is authorised.
///
/// A reply that is lost is found out by reading the order again: it has seen the
/// event of this very cancellation.
pub async fn cancel_order(
    orders: &OrderStore,
    host: &Host,
    id: OrderId,
) -> Result<Order, CancelError> {
    let mut written: Option<Envelope> = None;
    let mut stamp = None;
    let mut attempts = Attempts::new(host.random());
    while attempts.next().await {
        let stored = orders.find(id).await?.ok_or(CancelError::NotFound(id))?;
        let stamp = match &stamp {
            Some(stamp) => stamp,
            None => {
                let history = orders.history(id).await?;
                let first = history.first().map(|entry| &entry.event.correlationid);
                let chain = first.cloned().unwrap_or_else(|| id.to_string());
                let cause = Cause::new(chain.clone(), chain, ACTOR);
                stamp.insert(host.stamp(host.now(), &cause))
            }
        };
        let transition = match cancel(&stored.order) {
            Ok(transition) => transition,
            Err(CancelOrderError::Ended)
                if written.as_ref().is_some_and(|event| stored.has_seen(event)) =>
            {
                return Ok(stored.order);
            }
            Err(refused) => return Err(refused.into()),
        };
        let event = transition.envelope(stamp.clone());
        let next = stored.order.apply(&transition, event.time);
        // Before the transition, because nothing would repeat it afterwards.
        if let Some(hold) = &stored.hold {
            for holder in &hold.holders {
                let entries = vec![hold.entry.clone()];
                orders.close_holds(holder, entries).await?;
            }
        }
        // No event of another service caused it, so it counts as its own cause.
        match orders.append(&stored, &next, &event, &event).await {
            Ok(()) => return Ok(next),
            Err(CommitError::ConditionFailed(_)) => written = Some(event),
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    Err(CancelError::Contended)
}
