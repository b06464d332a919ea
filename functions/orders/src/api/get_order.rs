//! `GET /api/orders/{id}`: one of the caller's orders.

use std::sync::Arc;

use kernel::OrderId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, Reply, SignedIn, State},
};

use super::view::OrderView;
use crate::{App, store::StoredOrder};

const GRANTS: &[Grant] = &[grant("dynamodb:GetItem", "OrdersTable")];

/// The function `get-order`.
pub fn function() -> Function {
    Endpoint::new("get-order", Access::SignedIn, GRANTS)
        .get("/api/orders/{id}", get_order)
        .start(App::shared)
}

/// Gives the order; another person's is not there.
pub async fn get_order(
    State(app): State<Arc<App>>,
    person: SignedIn,
    Id(id): Id<OrderId>,
) -> Result<Reply, ApiError> {
    let stored = own(&app, person, id).await?;
    let view = OrderView::of(&stored).map_err(ApiError::internal)?;
    Ok(Reply::ok("order", &view))
}

/// An order of the person's own.
pub(super) async fn own(app: &App, person: SignedIn, id: OrderId) -> Result<StoredOrder, ApiError> {
    let found = app.orders.find(id).await?;
    found
        .filter(|stored| stored.order.user_id == person.user_id)
        .ok_or_else(|| ApiError::not_found("order"))
}
