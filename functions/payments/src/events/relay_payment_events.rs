//! `relay-payment-events`: publishes the events of the outbox. After each sweep,
//! once a minute, it also looks at the payments that have not come to their end in
//! time, and asks orders what became of their orders: of one that has ended, of which
//! payments was not told, the authorisation is voided then.

use std::time::Duration;

use contracts::{Envelope, Stamp, events::PaymentDelayed};
use dynamo::{StoreError, Table, relay};
use futures_util::future::join_all;
use kernel::{Actor, Cause, Timestamp};
use runtime::{Error, Function, Grant, Stopwatch, grant};

use crate::{
    domain::Payment,
    store::{OPEN_SHARDS, PaymentStore},
};

const NAME: &str = "relay-payment-events";

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "PaymentsTable"),
    grant("dynamodb:BatchGetItem", "PaymentsTable"),
    grant("dynamodb:PutItem", "PaymentsTable"),
    grant("dynamodb:UpdateItem", "PaymentsTable"),
    grant("dynamodb:Query", "PaymentsTable/index/unsent"),
    grant("dynamodb:Query", "PaymentsTable/index/open"),
    grant("sns:Publish", "PaymentsTopic"),
];

/// Payments of one shard in a run: at some 10 ms each, what a run has time for. Those
/// beyond it are looked at again at twice their age.
const DUE_MAX: usize = 200;
/// After this time no payment is begun: the function has ten seconds, also for its
/// sweep.
const TIME_MAX: Duration = Duration::from_secs(3);

pub fn function() -> Function {
    relay::function_with_sweep(NAME, GRANTS, ask_about_delayed)
}

/// A payment that fails does not block the others.
async fn ask_about_delayed(table: Table, now: Timestamp) -> Result<(), Error> {
    let (payments, stopwatch) = (PaymentStore::new(table.clone()), Stopwatch::start());
    let shards =
        (0..OPEN_SHARDS).map(|shard| ask_of_shard(&table, &payments, shard, now, stopwatch));
    let (mut asked, mut first_error) = (0, None);
    for outcome in join_all(shards).await.into_iter().flatten() {
        match outcome {
            Ok(was_asked) => asked += usize::from(was_asked),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    if asked > 0 {
        tracing::warn!(asked, "payments were not at their end");
    }
    first_error.map_or(Ok(()), |error| Err(error.into()))
}

async fn ask_of_shard(
    table: &Table,
    payments: &PaymentStore,
    shard: u8,
    now: Timestamp,
    stopwatch: Stopwatch,
) -> Vec<Result<bool, StoreError>> {
    let due = match payments.due(shard, now, DUE_MAX).await {
        Ok(due) => due,
        Err(error) => return vec![Err(error)],
    };
    let mut outcomes = Vec::with_capacity(due.len());
    for stored in due {
        if stopwatch.elapsed() >= TIME_MAX {
            break;
        }
        outcomes.push(ask(table, payments, &stored.payment, now).await);
    }
    outcomes
}

/// Returns whether the payment is not at its end.
async fn ask(
    table: &Table,
    payments: &PaymentStore,
    payment: &Payment,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if payment.status.is_final() {
        payments.close(payment.payment_id).await?;
        return Ok(false);
    }
    let delayed = PaymentDelayed {
        payment_id: payment.payment_id,
        order_id: payment.order_id,
    };
    // No request or event caused this: the payment begins a chain of its own.
    let id = payment.payment_id.to_string();
    let stamp = Stamp {
        id: table.random().uuid().into(),
        time: now,
        cause: Cause::new(id.clone(), id, Actor::Function(NAME)),
    };
    payments
        .announce_delay(&Envelope::new(&delayed, stamp))
        .await?;
    Ok(true)
}
