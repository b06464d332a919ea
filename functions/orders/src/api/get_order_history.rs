//! `GET /api/orders/{id}/history`: the events of one of the caller's orders.

use std::sync::Arc;

use kernel::OrderId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, Reply, SignedIn, State},
};

use super::views::HistoryEntryView;
use crate::App;

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "OrdersTable"),
    grant("dynamodb:Query", "OrdersTable"),
];

pub fn function() -> Function {
    Endpoint::new("get-order-history", Access::SignedIn, GRANTS)
        .get("/api/orders/{id}/history", get_order_history)
        .start(App::start)
}

/// Lists the events, oldest first. Answers 404 also for another user's order.
async fn get_order_history(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    Id(id): Id<OrderId>,
) -> Result<Reply, ApiError> {
    let stored = app.orders.find_owned(id, caller.user_id).await?;
    stored.ok_or_else(|| ApiError::not_found("order"))?;
    let history = app.orders.history(id).await?.into_iter();
    let entries: Vec<HistoryEntryView> = history.map(Into::into).collect();
    Ok(Reply::ok("order history", &entries))
}
