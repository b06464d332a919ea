//! `GET /api/orders/{id}`: one of the caller's orders.

use std::sync::Arc;

use kernel::OrderId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, Reply, SignedIn, State},
};

use super::views::OrderView;
use crate::App;

const GRANTS: &[Grant] = &[grant("dynamodb:GetItem", "OrdersTable")];

pub fn function() -> Function {
    Endpoint::new("get-order", Access::SignedIn, GRANTS)
        .get("/api/orders/{id}", get_order)
        .start(App::start)
}

/// Answers 404 also for another user's order.
async fn get_order(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    Id(id): Id<OrderId>,
) -> Result<Reply, ApiError> {
    let stored = app.orders.find_owned(id, caller.user_id).await?;
    let stored = stored.ok_or_else(|| ApiError::not_found("order"))?;
    let view = OrderView::try_from(&stored).map_err(ApiError::internal)?;
    Ok(Reply::ok("order", &view))
}
