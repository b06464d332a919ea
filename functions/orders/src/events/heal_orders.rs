//! Looks at orders that have not come to their end in time, each minute after
//! the relay's sweep. A pending one whose goods are held no longer is ended; of any
//! other, the last event is announced again, because it or its answer was lost.

use std::time::Duration;

use contracts::Stamp;
use dynamo::{CommitError, StoreError, Table};
use futures_util::future::join_all;
use kernel::Timestamp;
use runtime::{Error, Stopwatch};

use super::apply::apply;
use crate::{
    domain::{Overdue, Transition, overdue},
    metrics,
    store::{OPEN_SHARDS, OrderStore, StoredOrder},
};

/// The function in which this runs, as its events name it.
pub(super) const NAME: &str = "relay-order-events";
/// Orders of one shard in a run: at some 10 ms each, what a run has time for. Those
/// beyond it are looked at again at twice their age.
const DUE_MAX: usize = 200;
/// After this time no order is begun: the function has ten seconds, also for its
/// sweep.
const TIME_MAX: Duration = Duration::from_secs(3);

#[derive(Default)]
struct Report {
    ended: usize,
    reminded: usize,
    left: usize,
    first_error: Option<StoreError>,
}

/// Looks at the orders that are due. One that fails does not block the others.
pub(super) async fn heal_orders(table: &Table, now: Timestamp) -> Result<(), Error> {
    let (orders, stopwatch) = (OrderStore::new(table.clone()), Stopwatch::start());
    let shards = (0..OPEN_SHARDS).map(|shard| heal_shard(table, &orders, shard, now, stopwatch));
    let (mut ended, mut reminded, mut left, mut first_error) = (0, 0, 0, None);
    for report in join_all(shards).await {
        ended += report.ended;
        reminded += report.reminded;
        left += report.left;
        first_error = first_error.or(report.first_error);
    }
    if ended + reminded + left > 0 {
        tracing::warn!(ended, reminded, left, "orders were not at their end");
    }
    first_error.map_or(Ok(()), |error| Err(error.into()))
}

async fn heal_shard(
    table: &Table,
    orders: &OrderStore,
    shard: u8,
    now: Timestamp,
    stopwatch: Stopwatch,
) -> Report {
    let mut report = Report::default();
    let due = match orders.due(shard, now, DUE_MAX).await {
        Ok(due) => due,
        Err(error) => {
            report.first_error = Some(error);
            return report;
        }
    };
    for stored in due {
        if stopwatch.elapsed() >= TIME_MAX {
            report.left += 1;
            continue;
        }
        let healed = match overdue(&stored.order, now) {
            Overdue::End(transition) => {
                let ended = end(table, orders, &stored, &transition, now).await;
                ended.map(|ended| report.ended += usize::from(ended))
            }
            Overdue::Remind => {
                let reminded = orders.remind(&stored.order, now).await;
                reminded.map(|reminded| report.reminded += usize::from(reminded))
            }
            Overdue::Nothing => orders.close(stored.order.order_id).await,
        };
        if let Err(error) = healed {
            report.first_error.get_or_insert(error);
        }
    }
    report
}

/// Ends an order that nothing has answered: `order.placed` is what it is ended
/// because of. Returns false if it changed in between.
async fn end(
    table: &Table,
    orders: &OrderStore,
    stored: &StoredOrder,
    transition: &Transition,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(placed) = orders.placed(stored.order.order_id).await? else {
        return Ok(false);
    };
    let stamp = Stamp {
        id: table.random().uuid().into(),
        time: now,
        cause: placed.cause(NAME),
    };
    match apply(orders, stored, transition, &placed, stamp).await {
        Ok(()) => {
            metrics::record_transition(&stored.order, transition);
            Ok(true)
        }
        Err(CommitError::ConditionFailed(_)) => Ok(false),
        Err(CommitError::Store(error)) => Err(error),
    }
}
