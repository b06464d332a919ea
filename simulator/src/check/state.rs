//! What the tables say, in the terms of the checks.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::world::World;

/// The state of an order's parts.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) order: Option<Value>,
    pub(super) payment: Option<Value>,
    pub(super) reservation: Option<Value>,
}

/// An attribute that is text; empty if there is none.
pub(super) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// The status of a part, or `none`.
pub(super) fn status(part: Option<&Value>) -> &str {
    part.map_or("none", |part| text(part, "status"))
}

/// Orders, payments and reservations by the order's id.
pub(super) fn parts(world: &World) -> BTreeMap<String, Parts> {
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
pub(crate) fn items(world: &World, logical_id: &str) -> Vec<Value> {
    let mut tables = world.template.tables.iter();
    let Some(table) = tables.find(|table| table.logical_id == logical_id) else {
        return Vec::new();
    };
    let items = world.database.images.items(&table.name);
    items.iter().map(|item| plain_map(item)).collect()
}

fn plain_map(value: &Value) -> Value {
    let fields = value.as_object().into_iter().flatten();
    let fields = fields.map(|(name, value)| (name.clone(), plain(value)));
    Value::Object(fields.collect::<Map<String, Value>>())
}

fn plain(value: &Value) -> Value {
    let Some((kind, inner)) = value.as_object().and_then(|object| object.iter().next()) else {
        return Value::Null;
    };
    match (kind.as_str(), inner) {
        ("N", Value::String(number)) => number
            .parse::<i64>()
            .map_or_else(|_| inner.clone(), Value::from),
        ("M", fields) => plain_map(fields),
        ("L", Value::Array(list)) => list.iter().map(plain).collect(),
        _ => inner.clone(),
    }
}

/// How many events of each table have not been sent.
pub(super) fn unsent(world: &World) -> BTreeMap<String, usize> {
    let tables = world.template.tables.iter();
    let counts = tables.map(|table| {
        let items = world.database.images.items(&table.name);
        let unsent = items.iter().filter(|item| item.get("unsent").is_some());
        (table.logical_id.clone(), unsent.count())
    });
    counts.filter(|(_, count)| *count > 0).collect()
}

/// Whether nothing is under way, and nobody waits for anything: no invocation, no message
/// and no operation of the provider; no order, no goods and no payment in between.
pub fn is_at_rest(world: &World) -> bool {
    let waits = |queue: &String| !world.queues.is_dead_letter_queue(queue);
    world.busy.is_idle()
        && world.database.streams.are_read()
        && !world.queues.lengths().keys().any(waits)
        && unsent(world).is_empty()
        && parts(world).values().all(|parts| {
            !matches!(status(parts.order.as_ref()), "pending" | "authorized")
                && status(parts.reservation.as_ref()) != "held"
                && !matches!(status(parts.payment.as_ref()), "pending" | "authorized")
        })
}
