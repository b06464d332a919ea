//! What must hold when everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::{
    buyers::{Product, Told},
    ledger::Standing,
    world::World,
};

/// The state of an order's parts.
#[derive(Debug, Default)]
struct Parts {
    order: Option<Value>,
    payment: Option<Value>,
    reservation: Option<Value>,
}

/// What is wrong, in words; empty if all is well.
pub fn violations(world: &World, products: &[Product], told: &Told) -> Vec<String> {
    let mut wrong = Vec::new();
    let parts = parts(world);
    for (id, parts) in &parts {
        wrong.extend(settled(id, parts));
    }
    wrong.extend(goods(world, products, &parts));
    wrong.extend(keys(told, &parts));
    wrong.extend(money(world, &parts));
    for (queue, length) in world.queues.lengths() {
        wrong.push(format!("{length} messages are left in {queue}"));
    }
    for table in &world.template.tables {
        let items = world.database.items(&table.name);
        let unsent = items.iter().filter(|item| item.get("unsent").is_some());
        let count = unsent.count();
        if count > 0 {
            wrong.push(format!(
                "{count} events in {} were never sent",
                table.logical_id
            ));
        }
    }
    wrong
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// Orders, payments and reservations by the order's id.
fn parts(world: &World) -> BTreeMap<String, Parts> {
    let mut parts: BTreeMap<String, Parts> = BTreeMap::new();
    for (table, prefix) in [
        ("OrdersTable", "ORDER#"),
        ("PaymentsTable", "PAYMENT#"),
        ("CatalogTable", "RESERVATION#"),
    ] {
        for item in items(world, table) {
            let (pk, id) = (text(&item, "pk"), text(&item, "order_id"));
            if !pk.starts_with(prefix) || id.is_empty() || item.get("status").is_none() {
                continue;
            }
            let parts = parts.entry(id.to_owned()).or_default();
            let part = match table {
                "OrdersTable" => &mut parts.order,
                "PaymentsTable" => &mut parts.payment,
                _ => &mut parts.reservation,
            };
            *part = Some(item);
        }
    }
    parts
}

/// A table's items, without DynamoDB's types.
pub fn items(world: &World, logical_id: &str) -> Vec<Value> {
    let mut tables = world.template.tables.iter();
    let Some(table) = tables.find(|table| table.logical_id == logical_id) else {
        return Vec::new();
    };
    let items = world.database.items(&table.name);
    items
        .iter()
        .map(|item| plain(&Value::from_iter([("M", item.clone())])))
        .collect()
}

fn plain(value: &Value) -> Value {
    let Some((kind, inner)) = value.as_object().and_then(|object| object.iter().next()) else {
        return Value::Null;
    };
    match (kind.as_str(), inner) {
        ("N", Value::String(number)) => number
            .parse::<i64>()
            .map_or_else(|_| inner.clone(), Value::from),
        ("M", Value::Object(fields)) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.clone(), plain(value)));
            Value::Object(fields.collect::<Map<String, Value>>())
        }
        ("L", Value::Array(list)) => list.iter().map(plain).collect(),
        _ => inner.clone(),
    }
}

/// An order has ended, and its parts agree on how.
fn settled(id: &str, parts: &Parts) -> Vec<String> {
    let status = |part: &Option<Value>| {
        let status = part.as_ref().map(|part| text(part, "status"));
        status.unwrap_or("none").to_owned()
    };
    let (order, payment) = (status(&parts.order), status(&parts.payment));
    let goods = status(&parts.reservation);
    let fits = match order.as_str() {
        "confirmed" => payment == "captured" && goods == "sold",
        "cancelled" => {
            matches!(payment.as_str(), "none" | "voided" | "declined")
                && goods != "held"
                && goods != "sold"
        }
        "payment_failed" => {
            matches!(payment.as_str(), "declined" | "capture_failed" | "voided")
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
fn goods(world: &World, products: &[Product], parts: &BTreeMap<String, Parts>) -> Vec<String> {
    let mut sold: BTreeMap<String, u64> = BTreeMap::new();
    for reservation in parts
        .values()
        .filter_map(|parts| parts.reservation.as_ref())
    {
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
        let mut found = items
            .iter()
            .filter(|item| text(item, "id") == product.id && item.get("stock").is_some());
        let item = found.next();
        let left = item.and_then(|item| item["stock"].as_u64());
        let unverified = item.and_then(|item| item["held_unverified"].as_i64());
        if unverified.is_some_and(|held| held != 0) {
            wrong.push(format!(
                "product {}: {unverified:?} are counted as held by unverified customers, and nothing is held",
                product.id
            ));
        }
        let sold = sold.get(&product.id).copied().unwrap_or_default();
        if left.is_none_or(|left| left + sold != product.stock) {
            wrong.push(format!(
                "product {}: {} at the beginning, {left:?} left, {sold} sold or held",
                product.id, product.stock
            ));
        }
    }
    wrong
}

/// A key is one order, and whoever was told of an order has it.
fn keys(told: &Told, parts: &BTreeMap<String, Parts>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (key, replies) in told.by_key() {
        let placed = replies.iter().filter(|(status, _)| *status == 201);
        let mut ids: Vec<&str> = placed.filter_map(|(_, id)| id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() > 1 {
            wrong.push(format!("key {key} became {} orders", ids.len()));
        }
        for id in ids {
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
