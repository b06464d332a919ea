//! Reads whole tables for what contradicts itself: goods, money, orders and events.
//!
//! The shop may go on meanwhile. What looks wrong is read once more, and counts only
//! if it has not changed for [`GRACE`]: events are under way for seconds, and what
//! waits in queues is not wrong.
//!
//! This is the only code outside tests that scans tables. A page is read at a time,
//! and after each the position is saved, so a check that ends early goes on from there.

mod findings;
mod held;
pub(crate) mod pages;
mod position;

use std::path::Path;

use dynamo::{Key, StoreError, Table};
use kernel::{OrderId, PaymentId, SignedDuration, Timestamp};
use orders::store::StoredOrder;
use payments::store::StoredPayment;
use runtime::Error;
use serde::de::DeserializeOwned;

use crate::{Shop, contradictions, facts::Facts, order, outbox};

pub use findings::{Finding, Outcome};
pub use held::Held;
use pages::Row;
pub use position::{Pass, Position};

/// How long something must have been the same before it counts as wrong: an order's
/// hold of 15 minutes, its end, and queues that are behind.
pub const GRACE: SignedDuration = SignedDuration::from_mins(30);
/// How long after its end a reservation may still be held: `expire-reservations` runs
/// every minute.
pub const HOLD_GRACE: SignedDuration = SignedDuration::from_mins(5);
/// How long an event may be unsent.
pub const UNSENT_GRACE: SignedDuration = SignedDuration::from_hours(1);
/// Findings that are kept: with more, the first ones show what is wrong.
pub const FINDINGS_MAX: usize = 1_000;

/// Checks all tables. With a `file`, goes on where an earlier check that was saved
/// there has ended.
pub async fn check(shop: &Shop, file: Option<&Path>) -> Result<Outcome, Error> {
    let mut position = match file {
        Some(file) => Position::load(file)?,
        None => None,
    }
    .unwrap_or_else(|| Position::begin(shop.host.now()));
    while position.pass != Pass::Done {
        step(shop, &mut position).await?;
        if let Some(file) = file {
            position.save(file)?;
        }
    }
    if let Some(file) = file {
        Position::remove(file)?;
    }
    Ok(Outcome::new(position))
}

/// Checks one page, and moves the position behind it.
pub async fn step(shop: &Shop, position: &mut Position) -> Result<(), Error> {
    let service = match position.pass {
        Pass::Orders => "orders",
        Pass::Payments => "payments",
        Pass::Catalog => "catalog",
        Pass::Held => {
            held::compare(shop, position).await?;
            position.advance(None);
            return Ok(());
        }
        Pass::Contradictions => {
            check_contradictions(shop, position).await?;
            position.advance(None);
            return Ok(());
        }
        Pass::Outbox => {
            check_outbox(shop, position).await?;
            position.advance(None);
            return Ok(());
        }
        Pass::Done => return Ok(()),
    };
    let table = shop.table(service)?;
    let (rows, after) = pages::read(table, position.after.as_ref()).await?;
    match position.pass {
        Pass::Orders => check_orders(shop, rows, position).await?,
        Pass::Payments => check_payments(shop, rows, position).await?,
        _ => check_catalog(shop, rows, position).await?,
    }
    position.advance(after);
    Ok(())
}

/// Reads items of another table by their keys. One that cannot be read is left out:
/// its own table's pass reports it.
async fn related<T: DeserializeOwned>(table: &Table, keys: Vec<Key>) -> Result<Vec<T>, Error> {
    match table.get_many(keys.clone(), true).await {
        Ok(items) => return Ok(items),
        Err(StoreError::Item(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let mut items = Vec::new();
    for key in keys {
        match table.get(key).await {
            Ok(item) => items.extend(item),
            Err(StoreError::Item(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(items)
}

/// Whether an order has this payment, or exists at all if none is named. One that
/// cannot be read does: its own table's pass reports it.
async fn exists(shop: &Shop, id: OrderId, payment: Option<PaymentId>) -> Result<bool, Error> {
    match shop.orders.find(id).await {
        Ok(None) => Ok(false),
        Ok(Some(stored)) => Ok(payment.is_none_or(|payment| stored.order.payment_id == payment)),
        Err(StoreError::Item(_)) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Reads an order with its payment and goods; `None` if one of them cannot be read.
async fn read_again(shop: &Shop, id: OrderId) -> Result<Option<Facts>, Error> {
    match order::facts(shop, id).await {
        Ok(facts) => Ok(Some(facts)),
        Err(error) => match error.downcast::<StoreError>() {
            Ok(error) if matches!(*error, StoreError::Item(_)) => Ok(None),
            Ok(error) => Err(error),
            Err(error) => Err(error),
        },
    }
}

async fn check_orders(shop: &Shop, rows: Vec<Row>, position: &mut Position) -> Result<(), Error> {
    let mut orders = Vec::new();
    for row in rows.into_iter().filter(|row| row.is("ORDER#", "ORDER")) {
        match row.read::<StoredOrder>() {
            Ok(stored) => orders.push(stored.order),
            Err(_) => position.find(Finding::unreadable("orders", &row)),
        }
    }
    let payment_key = |order: &orders::domain::Order| {
        Key::new(format!("PAYMENT#{}", order.payment_id), "PAYMENT")
    };
    let goods_key = |order: &orders::domain::Order| {
        Key::new(format!("RESERVATION#{}", order.order_id), "RESERVATION")
    };
    let keys = orders.iter().map(payment_key).collect();
    let payments: Vec<StoredPayment> = related(shop.table("payments")?, keys).await?;
    let keys = orders.iter().map(goods_key).collect();
    let goods: Vec<catalog::domain::Reservation> = related(shop.table("catalog")?, keys).await?;
    let now = shop.host.now();
    for order in orders {
        position.orders += 1;
        let order_id = order.order_id;
        if position.counts(order_id) && order.status == orders::domain::Status::Confirmed {
            position.confirmed.add(order.total);
        }
        let payment = payments
            .iter()
            .find(|stored| stored.payment.payment_id == order.payment_id);
        let facts = Facts {
            payment: payment.map(|stored| stored.payment.clone()),
            goods: goods.iter().find(|one| one.order_id == order_id).cloned(),
            order: Some(order),
        };
        if looks_wrong(&facts, now) {
            // What was read a moment apart may differ for that reason only.
            if let Some(facts) = read_again(shop, order_id).await? {
                position.find_all(wrong(order_id, &facts, now));
            }
        }
    }
    Ok(())
}

fn looks_wrong(facts: &Facts, now: Timestamp) -> bool {
    !facts.contradictions(now).is_empty()
        || facts.wait().is_some_and(|wait| is_old(wait.since, now))
}

fn is_old(since: Timestamp, now: Timestamp) -> bool {
    now.duration_since(since) > GRACE
}

fn wrong(id: OrderId, facts: &Facts, now: Timestamp) -> Vec<Finding> {
    if !facts.changed_at().is_some_and(|at| is_old(at, now)) {
        return Vec::new();
    }
    let contradictions = facts.contradictions(now);
    let is_open = facts
        .order
        .as_ref()
        .is_some_and(|order| order.status.is_open());
    let mut found: Vec<_> = contradictions
        .into_iter()
        .map(|contradiction| Finding::contradiction(id, contradiction))
        .collect();
    if let Some(wait) = facts.wait().filter(|_| is_open) {
        found.push(Finding::stuck(id, &wait, now));
    }
    found
}

async fn check_payments(shop: &Shop, rows: Vec<Row>, position: &mut Position) -> Result<(), Error> {
    let mut payments = Vec::new();
    for row in rows.into_iter().filter(|row| row.is("PAYMENT#", "PAYMENT")) {
        match row.read::<StoredPayment>() {
            Ok(stored) => payments.push(stored.payment),
            Err(_) => position.find(Finding::unreadable("payments", &row)),
        }
    }
    let key = |id: OrderId| Key::new(format!("ORDER#{id}"), "ORDER");
    let keys = payments.iter().map(|payment| key(payment.order_id));
    let orders: Vec<StoredOrder> = related(shop.table("orders")?, keys.collect()).await?;
    let now = shop.host.now();
    for payment in payments {
        position.payments += 1;
        let is_captured = payment.status == payments::domain::Status::Captured;
        if position.counts(payment.order_id) && is_captured {
            position.captured.add(payment.amount);
        }
        let order = orders
            .iter()
            .find(|stored| stored.order.order_id == payment.order_id);
        let is_its_own = order.is_some_and(|stored| stored.order.payment_id == payment.payment_id);
        if !is_its_own
            && is_old(payment.updated_at, now)
            && !exists(shop, payment.order_id, Some(payment.payment_id)).await?
        {
            position.find(Finding::payment_without_order(&payment));
        }
    }
    Ok(())
}

async fn check_catalog(shop: &Shop, rows: Vec<Row>, position: &mut Position) -> Result<(), Error> {
    use catalog::domain::{Reservation, Status};

    let mut reservations: Vec<Reservation> = Vec::new();
    for row in rows {
        if row.is("PRODUCT#", "PRODUCT") {
            position.products += 1;
            position.count_place(&row);
        }
        if row.is("STOCK#", "STOCK") {
            position.count_place(&row);
        }
        if row.is("RESERVATION#", "RESERVATION") {
            match row.read() {
                Ok(reservation) => reservations.push(reservation),
                Err(_) => position.find(Finding::unreadable("catalog", &row)),
            }
        }
    }
    let key = |id: OrderId| Key::new(format!("ORDER#{id}"), "ORDER");
    let sold = |one: &&Reservation| one.status == Status::Sold;
    let keys = reservations
        .iter()
        .filter(sold)
        .map(|one| key(one.order_id));
    let orders: Vec<StoredOrder> = related(shop.table("orders")?, keys.collect()).await?;
    let now = shop.host.now();
    for reservation in reservations {
        position.reservations += 1;
        position.count_reservation(&reservation);
        let units: i64 = reservation
            .lines
            .iter()
            .map(|line| i64::from(line.quantity))
            .sum();
        let id = reservation.order_id;
        match reservation.status {
            Status::Held => {
                position.units.held += units;
                if now.duration_since(reservation.held_until) > HOLD_GRACE {
                    // It may have been released since the page was read.
                    let again = shop.catalog.reservation(id).await?;
                    if again.is_some_and(|again| again.status == Status::Held) {
                        position.find(Finding::held_too_long(&reservation, now));
                    }
                }
            }
            Status::Sold => {
                position.units.sold += units;
                let has_order = orders.iter().any(|stored| stored.order.order_id == id);
                if !has_order
                    && is_old(reservation.updated_at, now)
                    && !exists(shop, id, None).await?
                {
                    position.find(Finding::sold_without_order(id));
                }
            }
            Status::Released | Status::Expired | Status::Missing => {}
        }
    }
    Ok(())
}

async fn check_outbox(shop: &Shop, position: &mut Position) -> Result<(), Error> {
    let now = shop.host.now();
    for (service, table) in &shop.tables {
        let unsent = outbox::unsent(table).await?;
        if let Some(since) = unsent.oldest_since
            && now.duration_since(since) > UNSENT_GRACE
        {
            position.find(Finding::unsent(service, &unsent, now.duration_since(since)));
        }
    }
    Ok(())
}

async fn check_contradictions(shop: &Shop, position: &mut Position) -> Result<(), Error> {
    let found = contradictions::list(shop).await?;
    let now = shop.host.now();
    for entry in &found.listed {
        position.find(Finding::listed(entry, now));
    }
    for entry in &found.unreadable {
        position.find(Finding::unreadable_key(entry.service, &entry.key));
    }
    Ok(())
}
