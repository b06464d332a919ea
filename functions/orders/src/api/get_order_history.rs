//! `GET /api/orders/{id}/history`: every step of one of the caller's orders,
//! with who, when and why.

use std::sync::Arc;

use kernel::{OrderId, Timestamp};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, Reply, SignedIn, State},
};
use serde::Serialize;
use serde_json::Value;

use super::get_order::own;
use crate::{App, store::Numbered};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "OrdersTable"),
    grant("dynamodb:Query", "OrdersTable"),
];

/// The function `get-order-history`.
pub fn function() -> Function {
    Endpoint::new("get-order-history", Access::SignedIn, GRANTS)
        .get("/api/orders/{id}/history", get_order_history)
        .start(App::shared)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EntryView {
    #[serde(rename = "type")]
    event_type: String,
    at: Timestamp,
    data: Value,
    correlation_id: String,
    causation_id: String,
    actor: String,
    version: u32,
}

/// Gives the order's events, oldest first; another person's order is not there.
pub async fn get_order_history(
    State(app): State<Arc<App>>,
    person: SignedIn,
    Id(id): Id<OrderId>,
) -> Result<Reply, ApiError> {
    own(&app, person, id).await?;
    let history = app.orders.history(id).await?;
    let entries: Vec<EntryView> = history.into_iter().map(entry).collect();
    Ok(Reply::ok("order history", &entries))
}

pub(super) fn entry(Numbered { version, event }: Numbered) -> EntryView {
    EntryView {
        event_type: event.event_type,
        at: event.time,
        data: event.data,
        correlation_id: event.correlationid,
        causation_id: event.causationid,
        actor: event.actor,
        version,
    }
}
