//! `relay-order-events`: publishes order events. After each sweep, once a
//! minute, it also looks at the orders that are not at their end, and counts those
//! that are stuck.

use dynamo::{Table, relay};
use kernel::{SignedDuration, Timestamp};
use runtime::{Error, Function, Grant, grant};

use super::heal_orders::{NAME, heal_orders};
use crate::{metrics, store::OrderStore};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "OrdersTable"),
    grant("dynamodb:BatchGetItem", "OrdersTable"),
    grant("dynamodb:PutItem", "OrdersTable"),
    grant("dynamodb:UpdateItem", "OrdersTable"),
    grant("dynamodb:Query", "OrdersTable/index/unsent"),
    grant("dynamodb:Query", "OrdersTable/index/open"),
    grant("sns:Publish", "OrdersTopic"),
];

/// How long an order may be open. Its goods are reserved for fifteen minutes,
/// and `expire-reservations` ends it within another minute; the rest allows for
/// delayed queues.
const STUCK_AFTER: SignedDuration = SignedDuration::from_mins(20);

pub fn function() -> Function {
    relay::function_with_sweep(NAME, GRANTS, heal_and_count)
}

async fn heal_and_count(table: Table, now: Timestamp) -> Result<(), Error> {
    let healed = heal_orders(&table, now).await;
    count_stuck(table, now).await?;
    healed
}

async fn count_stuck(table: Table, now: Timestamp) -> Result<(), Error> {
    let before = now.saturating_sub(STUCK_AFTER).unwrap_or(Timestamp::MIN);
    let orders = OrderStore::new(table).count_open_since(before).await?;
    if orders > 0 {
        tracing::warn!(orders, "orders are stuck");
    }
    metrics::set_stuck(orders);
    Ok(())
}
