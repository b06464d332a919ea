//! `relay-order-events`: publishes the orders' events. With each sweep, once a
//! minute, it also counts the orders that are stuck.

use dynamo::Table;
use kernel::{Clock, SignedDuration, Timestamp};
use runtime::{BoxFuture, Error, Function, Grant, grant};

use crate::{metrics, store::OrderStore};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "OrdersTable"),
    grant("dynamodb:BatchGetItem", "OrdersTable"),
    grant("dynamodb:UpdateItem", "OrdersTable"),
    grant("dynamodb:Query", "OrdersTable/index/unsent"),
    grant("dynamodb:Query", "OrdersTable/index/open"),
    grant("sns:Publish", "OrdersTopic"),
];

/// How long an order may be open. Its goods are held for fifteen minutes, and a
/// minute later the round of `expire-reservations` has ended it; the rest is
/// for queues that were behind.
const STUCK_AFTER: SignedDuration = SignedDuration::from_mins(20);

/// The function `relay-order-events`.
pub fn function() -> Function {
    function_at(Clock::System)
}

/// The same with a clock of one's own.
pub fn function_at(clock: Clock) -> Function {
    dynamo::relay::function_with_sweep("relay-order-events", GRANTS, clock, count_stuck)
}

fn count_stuck(table: Table, now: Timestamp) -> BoxFuture<Result<(), Error>> {
    Box::pin(async move {
        let before = now.saturating_sub(STUCK_AFTER).unwrap_or(Timestamp::MIN);
        let stuck = OrderStore::new(table).count_open_since(before).await?;
        if stuck > 0 {
            tracing::warn!(stuck, "orders are stuck");
        }
        metrics::stuck(stuck);
        Ok(())
    })
}
