//! How a transition is written, whoever decided on it.

use contracts::{Envelope, Stamp};
use dynamo::{CommitError, StoreError};
use futures_util::future::try_join_all;
use kernel::Timestamp;

use crate::{
    domain::{Entry, Transition},
    store::{OrderStore, StoredOrder},
};

/// Applies a transition once for each `trigger`, and announces it with `stamp`.
pub(super) async fn apply(
    orders: &OrderStore,
    stored: &StoredOrder,
    transition: &Transition,
    trigger: &Envelope,
    stamp: Stamp,
) -> Result<(), CommitError> {
    let event = transition.envelope(stamp);
    let next = stored.order.apply(transition, event.time);
    if !next.status.is_open() {
        end_hold(orders, stored, transition, trigger, event.time).await?;
    }
    orders.append(stored, &next, &event, trigger).await
}

/// Counts the order as open no longer, and a failed payment as declined. Before
/// the transition, because nothing would repeat it afterwards; repeating it is
/// harmless.
async fn end_hold(
    orders: &OrderStore,
    stored: &StoredOrder,
    transition: &Transition,
    trigger: &Envelope,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(hold) = &stored.hold else {
        return Ok(());
    };
    let declined = matches!(transition, Transition::PaymentFailed(_))
        .then(|| Entry::at(stored.order.order_id, trigger.time));
    let each = hold.holders.iter().map(|holder| async move {
        match declined {
            Some(declined) => {
                orders
                    .decline_hold(holder, &hold.entry, declined, now)
                    .await
            }
            None => {
                let entries = vec![hold.entry.clone()];
                orders.close_holds(holder, entries).await
            }
        }
    });
    try_join_all(each).await.map(drop)
}
