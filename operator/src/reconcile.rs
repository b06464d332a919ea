//! Brings a restored catalogue up to date with its orders.
//!
//! A catalogue that was restored from an earlier time knows nothing of what has
//! happened since. Goods that were sold show as held, and would expire and be sold
//! again; or they show as available; goods of orders that have ended are still taken.
//! Orders know better, so each that has changed since is asked. And what was reserved
//! since and is still there, because the copy leaves items under other keys, has to be
//! taken out of the restored stock once more.
//!
//! What is changed is changed by catalog's own transitions, under their conditions. A
//! run that ends early goes on when it is repeated. Nothing is changed unless the
//! table is marked as restored: afterwards reservations are those of customers.

use std::fmt;

use catalog::{
    domain::{HOLD_PERIOD, Reservation, Status as GoodsStatus, Transition},
    store::{ApplyTransitionError, Settled},
};
use contracts::{
    Envelope, EventData,
    events::{OrderAuthorized, OrderCancelled, OrderLine, OrderPaymentFailed},
};
use dynamo::{CommitError, Outcome};
use kernel::{Actor, Cause, OrderId, SignedDuration, Timestamp};
use orders::{
    domain::{Order, Status},
    store::StoredOrder,
};
use runtime::Error;
use serde::Serialize;

use crate::{Shop, check::pages};

const GONE: &str = "its goods are not available any more with the name and price of the order";
/// How long after its order has changed a reservation may change, at most: a queue
/// keeps an event for four days.
const SETTLES_WITHIN: SignedDuration = SignedDuration::from_hours(4 * 24);
const ACTOR: Actor = Actor::Function("operator");

/// What was, or would be, changed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconciled {
    pub since: Timestamp,
    pub applied: bool,
    /// Orders that have changed since.
    pub orders: u64,
    pub changes: Vec<Change>,
    /// What a person has to decide.
    pub impossible: Vec<Impossible>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub order_id: OrderId,
    pub what: What,
}

/// A change of an order's goods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// They are held, and were sold.
    Sell,
    /// They were not taken yet, and were sold.
    TakeAndSell,
    /// They are taken, and the order has ended.
    Release,
    /// They were reserved since, and the restored stock still has them.
    TakeAgain,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Impossible {
    pub order_id: OrderId,
    pub why: &'static str,
}

/// Compares the orders that have changed since `since` with their reservations, and
/// with `apply` makes these agree. When they do, the catalogue is free to reserve
/// and expire again.
pub async fn catalog(shop: &Shop, since: Timestamp, apply: bool) -> Result<Reconciled, Error> {
    if apply && !shop.catalog.is_restored().await? {
        return Err("the catalogue is not marked as restored, or has been reconciled".into());
    }
    let mut result = Reconciled {
        since,
        applied: apply,
        orders: 0,
        changes: Vec::new(),
        impossible: Vec::new(),
    };
    take_leftovers(shop, &mut result).await?;
    let table = shop.table("orders")?;
    let mut after = None;
    loop {
        let (rows, last) = pages::read(table, after.as_ref()).await?;
        for row in rows.into_iter().filter(|row| row.is("ORDER#", "ORDER")) {
            let order = row.read::<StoredOrder>()?.order;
            if order.updated_at >= since.saturating_sub(SETTLES_WITHIN)? {
                result.orders += 1;
                reconcile(shop, &order, &mut result).await?;
            }
        }
        after = last;
        if after.is_none() {
            break;
        }
    }
    if apply && result.impossible.is_empty() {
        shop.catalog.set_reconciled().await?;
    }
    Ok(result)
}

/// Takes the goods again of reservations that were made after the time that their
/// products were restored from.
async fn take_leftovers(shop: &Shop, result: &mut Reconciled) -> Result<(), Error> {
    let table = shop.table("catalog")?;
    let mut after = None;
    loop {
        let (rows, last) = pages::read(table, after.as_ref()).await?;
        for row in rows
            .into_iter()
            .filter(|row| row.is("RESERVATION#", "RESERVATION"))
        {
            let goods: Reservation = row.read()?;
            let made_at = goods.held_until.saturating_sub(HOLD_PERIOD)?;
            let is_left = made_at > result.since && goods.has_goods();
            if is_left && !goods.seen.contains(&mark(result.since)) {
                take_again(shop, &goods, result).await?;
            }
        }
        after = last;
        if after.is_none() {
            return Ok(());
        }
    }
}

async fn take_again(
    shop: &Shop,
    goods: &Reservation,
    result: &mut Reconciled,
) -> Result<(), Error> {
    let order_id = goods.order_id;
    let ids = goods.lines.iter().map(|line| line.product_id);
    let products = shop.catalog.products(ids).await?;
    // A product that was created since was not restored: its stock is right.
    let is_restored = |line: &&OrderLine| {
        let mut found = products.iter().filter(|one| one.id == line.product_id);
        found.next().is_none_or(|one| one.created_at < result.since)
    };
    let lines: Vec<OrderLine> = goods.lines.iter().filter(is_restored).cloned().collect();
    if result.applied {
        let mut next = goods.clone();
        next.version += 1;
        // The restored products do not count it as held, and have no shard that it
        // came from.
        next.unverified = false;
        next.counted = false;
        next.shards.clear();
        next.seen.insert(mark(result.since));
        match shop.catalog.take_again(goods, &next, &lines).await {
            Ok(()) => {}
            Err(CommitError::ConditionFailed(_)) => {
                let why = GONE;
                result.impossible.push(Impossible { order_id, why });
                return Ok(());
            }
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    let what = What::TakeAgain;
    result.changes.push(Change { order_id, what });
    Ok(())
}

/// What a reservation has seen once its goods are out of the restored stock.
fn mark(since: Timestamp) -> String {
    format!("restored#{since}")
}

async fn reconcile(shop: &Shop, order: &Order, result: &mut Reconciled) -> Result<(), Error> {
    let order_id = order.order_id;
    let goods = shop.catalog.reservation(order_id).await?;
    let status = goods.as_ref().map(|goods| goods.status);
    let what = match (is_sold(order), status) {
        (Some(true), Some(GoodsStatus::Held)) => What::Sell,
        (Some(true), None) => What::TakeAndSell,
        (Some(true), Some(GoodsStatus::Sold)) => return Ok(()),
        (Some(true), Some(_)) => {
            let why = "the order has its goods, but they were released or had expired";
            result.impossible.push(Impossible { order_id, why });
            return Ok(());
        }
        (Some(false), Some(GoodsStatus::Held | GoodsStatus::Sold)) => What::Release,
        // An order that is under way meets its reservation by its own events.
        _ => return Ok(()),
    };
    if result.applied && !apply(shop, order, goods, what, result.since).await? {
        let why = match what {
            What::TakeAndSell => GONE,
            What::Sell | What::Release | What::TakeAgain => {
                "its reservation changed meanwhile: run this again"
            }
        };
        result.impossible.push(Impossible { order_id, why });
        return Ok(());
    }
    result.changes.push(Change { order_id, what });
    Ok(())
}

/// Whether the goods belong to the order; `None` while that is open.
const fn is_sold(order: &Order) -> Option<bool> {
    match (order.status, order.committed) {
        (Status::Pending, _) | (Status::Authorized, false) => None,
        (Status::Authorized, true)
        | (Status::Confirmed | Status::Shipped | Status::Delivered | Status::Refunded, _) => {
            Some(true)
        }
        (Status::Cancelled | Status::PaymentFailed, _) => Some(false),
    }
}

/// Whether it was possible.
async fn apply(
    shop: &Shop,
    order: &Order,
    goods: Option<Reservation>,
    what: What,
    since: Timestamp,
) -> Result<bool, Error> {
    let history = shop.orders.history(order.order_id).await?;
    let events: Vec<Envelope> = history.into_iter().map(|entry| entry.event).collect();
    let chain = events.first().map(|event| event.correlationid.clone());
    let chain = chain.unwrap_or_else(|| order.order_id.to_string());
    let goods = match goods {
        Some(goods) => goods,
        None => {
            let lines = order.lines.clone();
            let mut held = Reservation::hold(order.order_id, lines, chain.clone(), shop.host.now());
            held.seen.insert(mark(since));
            match shop.catalog.reserve(&held, &[]).await {
                Ok(Outcome::Committed) => held,
                Ok(Outcome::Conflict(_)) | Err(CommitError::ConditionFailed(_)) => {
                    return Ok(false);
                }
                Err(CommitError::Store(error)) => return Err(error.into()),
            }
        }
    };
    let Some(transition) = transition(&goods, &events, what, shop.host.now()) else {
        return Ok(false);
    };
    let cause = Cause::new(chain.clone(), chain, ACTOR);
    let announced = transition.envelopes(|| shop.host.stamp(shop.host.now(), &cause));
    let settled = Settled {
        current: Some(&goods),
        transition: &transition,
        events: &announced,
    };
    let applied = shop.catalog.apply(&[settled]).await;
    match applied {
        Ok(()) => Ok(true),
        Err(ApplyTransitionError::Changed) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The transition that the order's event would have led to.
fn transition(
    goods: &Reservation,
    events: &[Envelope],
    what: What,
    now: Timestamp,
) -> Option<Transition> {
    let key = |types: &[&str]| {
        let mut events = events.iter();
        let event = events.find(|event| types.contains(&event.event_type.as_str()));
        event.map(Envelope::dedup_key)
    };
    match what {
        // They were sold in time, whatever time it is now.
        What::Sell | What::TakeAndSell => {
            goods.commit(&key(&[OrderAuthorized::TYPE])?, goods.updated_at)
        }
        What::Release => goods.release(
            &key(&[OrderCancelled::TYPE, OrderPaymentFailed::TYPE])?,
            now,
        ),
        What::TakeAgain => None,
    }
}

impl fmt::Display for Reconciled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (done, since) = match self.applied {
            true => ("", self.since),
            false => ("would ", self.since),
        };
        writeln!(f, "{} orders have changed since {since}", self.orders)?;
        for Change { order_id, what } in &self.changes {
            let what = match what {
                What::Sell => "sell what it holds",
                What::TakeAndSell => "take its goods and sell them",
                What::Release => "release its goods",
                What::TakeAgain => "take its goods out of the restored stock",
            };
            writeln!(f, "  order {order_id}  {done}{what}")?;
        }
        for Impossible { order_id, why } in &self.impossible {
            writeln!(f, "  order {order_id}  IMPOSSIBLE: {why}")?;
        }
        match (self.applied, self.impossible.is_empty()) {
            (false, _) => writeln!(f, "nothing was changed: --apply does it"),
            (true, true) => writeln!(f, "the catalogue agrees with its orders, and is open again"),
            (true, false) => writeln!(
                f,
                "the catalogue stays closed until these are set right, and this is run again"
            ),
        }
    }
}
