//! What must hold: some of it always, all of it when everything has come to rest.

mod events;
mod state;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

pub(crate) use self::state::items;
use self::state::{Parts, parts, status, text};
pub use self::{events::event_id, state::is_at_rest};
use crate::{
    buyers::{Product, Told},
    ledger::Standing,
    world::World,
};

/// How long the same key gets the same reply.
const KEY_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// What is wrong, in words; empty if all is well.
pub fn violations(world: &World, products: &[Product], told: &Told) -> Vec<String> {
    let mut wrong = Vec::new();
    let parts = parts(world);
    for (id, parts) in &parts {
        wrong.extend(settled(id, parts));
    }
    wrong.extend(goods(world, products, &parts, told));
    wrong.extend(held(world, products));
    wrong.extend(overwritten(world));
    wrong.extend(keys(told, &parts));
    wrong.extend(money(world, &parts));
    wrong.extend(events::unheard(world));
    wrong.extend(events::repeated(world));
    wrong.extend(events::mails(world));
    wrong.extend(events::told(world));
    for (queue, length) in world.queues.lengths() {
        wrong.push(format!("{length} messages are left in {queue}"));
    }
    for (queue, count) in world.queues.expired() {
        wrong.push(format!(
            "{count} messages grew too old in {queue} and are gone"
        ));
    }
    for (table, count) in state::unsent(world) {
        wrong.push(format!("{count} events in {table} were never sent"));
    }
    wrong
}

/// What is wrong that is wrong at any time: goods that appear or vanish, money that is
/// taken for what is not sold.
pub fn always(world: &World, products: &[Product], told: &Told) -> Vec<String> {
    let parts = parts(world);
    let mut wrong = goods(world, products, &parts, told);
    wrong.extend(overwritten(world));
    for (payment, (standing, amount)) in world.ledger.standing() {
        let id = payment.to_string();
        let mut orders = parts.values();
        let order = orders.find(|parts| {
            let order = parts.order.as_ref();
            order.is_some_and(|order| text(order, "payment_id") == id)
        });
        let goods = status(order.and_then(|parts| parts.reservation.as_ref()));
        if standing == Standing::Captured && goods != "sold" {
            wrong.push(format!("{amount:?} was taken for goods that are {goods}"));
        }
    }
    wrong
}

/// What has happened has happened: no event takes the place of another.
fn overwritten(world: &World) -> Vec<String> {
    let keys = world.database.overwritten().into_iter();
    keys.map(|key| format!("the event {key} was overwritten or deleted"))
        .collect()
}

/// How many orders are in each state.
pub fn endings(world: &World) -> BTreeMap<String, u64> {
    let mut endings = BTreeMap::new();
    for parts in parts(world).values().filter(|parts| parts.order.is_some()) {
        *endings
            .entry(status(parts.order.as_ref()).to_owned())
            .or_default() += 1;
    }
    endings
}

/// An order has ended, and its parts agree on how.
fn settled(id: &str, parts: &Parts) -> Vec<String> {
    let (order, payment) = (status(parts.order.as_ref()), status(parts.payment.as_ref()));
    let goods = status(parts.reservation.as_ref());
    let fits = match order {
        "confirmed" => payment == "captured" && goods == "sold",
        "cancelled" => {
            matches!(payment, "none" | "voided" | "declined") && goods != "held" && goods != "sold"
        }
        "payment_failed" => {
            matches!(payment, "declined" | "capture_failed" | "voided")
                && goods != "held"
                && goods != "sold"
        }
        // Only goods: a request that never became an order; they go back when they expire.
        "none" => payment == "none" && goods != "held" && goods != "sold",
        _ => false,
    };
    match fits {
        true => Vec::new(),
        false => vec![format!(
            "order {id} is {order}, its payment {payment}, its goods {goods}"
        )],
    }
}

/// No unit of any product has appeared or vanished.
fn goods(
    world: &World,
    products: &[Product],
    parts: &BTreeMap<String, Parts>,
    told: &Told,
) -> Vec<String> {
    let mut sold: BTreeMap<String, u64> = BTreeMap::new();
    let reservations = parts
        .values()
        .filter_map(|parts| parts.reservation.as_ref());
    for reservation in reservations {
        if !matches!(text(reservation, "status"), "held" | "sold") {
            continue;
        }
        for line in reservation["lines"].as_array().into_iter().flatten() {
            let quantity = line["quantity"].as_u64().unwrap_or_default();
            *sold.entry(text(line, "productId").to_owned()).or_default() += quantity;
        }
    }
    let items = items(world, "CatalogTable");
    let mut wrong = Vec::new();
    for product in products {
        let places = items.iter().filter(|item| has_stock_of(item, product));
        let left: u64 = places.filter_map(|item| item["stock"].as_u64()).sum();
        let sold = sold.get(&product.id).copied().unwrap_or_default();
        let received = told.entered(&product.id);
        let least = product.stock + received.certain;
        let possible = sums(least, &received.uncertain);
        if !possible.contains(&(left + sold)) {
            wrong.push(format!(
                "product {}: {} at the beginning, {} and maybe {:?} received, {left} left, \
                 {sold} sold or held",
                product.id, product.stock, received.certain, received.uncertain
            ));
        }
    }
    wrong
}

/// Whether goods of a product lie there: the product itself, or one of its shards.
fn has_stock_of(item: &serde_json::Value, product: &Product) -> bool {
    let is_its = text(item, "id") == product.id || text(item, "product_id") == product.id;
    is_its && item.get("stock").is_some()
}

/// What `least` and any of the others come to.
fn sums(least: u64, others: &[u64]) -> BTreeSet<u64> {
    let mut sums = BTreeSet::from([least]);
    for other in others {
        let more: Vec<u64> = sums.iter().map(|sum| sum + other).collect();
        sums.extend(more);
    }
    sums
}

/// Nothing is counted as held once nothing is.
fn held(world: &World, products: &[Product]) -> Vec<String> {
    let items = items(world, "CatalogTable");
    let mut wrong = Vec::new();
    for product in products {
        for (counter, of_whom) in [
            ("held", ""),
            ("held_unverified", " by unverified customers"),
        ] {
            let places = items.iter().filter(|item| has_stock_of(item, product));
            let held: i64 = places.filter_map(|item| item[counter].as_i64()).sum();
            if held != 0 {
                wrong.push(format!(
                    "product {}: {held} are counted as held{of_whom}, and nothing is held",
                    product.id
                ));
            }
        }
    }
    wrong
}

/// A key is one order for as long as it is remembered, and whoever was told of an order
/// has it.
fn keys(told: &Told, parts: &BTreeMap<String, Parts>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (key, replies) in told.by_key() {
        let placed: Vec<_> = replies.iter().filter(|reply| reply.status == 201).collect();
        let first = placed.first().map(|reply| reply.at);
        let remembered = placed.iter().filter(|reply| {
            first.is_some_and(|first| reply.at.duration_since(first) < KEY_LIFETIME)
        });
        let ids: BTreeSet<&str> = remembered
            .filter_map(|reply| reply.order.as_str())
            .collect();
        if ids.len() > 1 {
            wrong.push(format!("key {key} became {} orders", ids.len()));
        }
        for id in placed.iter().filter_map(|reply| reply.order.as_str()) {
            if parts.get(id).is_none_or(|parts| parts.order.is_none()) {
                wrong.push(format!("order {id} was promised and does not exist"));
            }
        }
    }
    wrong
}

/// Money was taken for what was sold and for nothing else, and no promise of money
/// outlives its order.
fn money(world: &World, parts: &BTreeMap<String, Parts>) -> Vec<String> {
    let orders = parts.values().filter_map(|parts| parts.order.as_ref());
    let confirmed: BTreeSet<&str> = orders
        .filter(|order| text(order, "status") == "confirmed")
        .map(|order| text(order, "payment_id"))
        .collect();
    let standing = world.ledger.standing();
    let mut wrong = Vec::new();
    for (payment, (standing, amount)) in &standing {
        let is_sold = confirmed.contains(payment.to_string().as_str());
        match (standing, is_sold) {
            (Standing::Captured, true) | (Standing::Voided, false) => {}
            _ => wrong.push(format!(
                "payment {payment} of {amount:?} is {standing:?}, its order {}",
                if is_sold {
                    "confirmed"
                } else {
                    "not confirmed"
                }
            )),
        }
    }
    for payment in confirmed {
        if !standing.keys().any(|known| known.to_string() == payment) {
            wrong.push(format!("payment {payment} was confirmed and never made"));
        }
    }
    wrong
}
