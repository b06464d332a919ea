//! `GET /api/orders`: the caller's orders, newest first.

use std::sync::Arc;

use dynamo::CursorKey;
use kernel::{OrderId, Page};
use runtime::{
    Environment, Function, Grant, grant,
    http::{Access, ApiError, Endpoint, PageQuery, Query, Reply, SignedIn, State},
};

use super::views::OrderView;
use crate::store::OrderStore;

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "OrdersTable"),
    grant("dynamodb:BatchGetItem", "OrdersTable"),
    grant("dynamodb:Query", "OrdersTable/index/by-user"),
];

pub fn function() -> Function {
    Endpoint::new("list-orders", Access::SignedIn, GRANTS)
        .get("/api/orders", list_orders)
        .start(OrderList::start)
}

struct OrderList {
    orders: OrderStore,
    cursors: CursorKey,
}

impl OrderList {
    async fn start(environment: Environment) -> Result<Self, runtime::Error> {
        Ok(Self {
            cursors: CursorKey::from_environment(&environment)?,
            orders: OrderStore::open(&environment).await?,
        })
    }
}

async fn list_orders(
    State(app): State<Arc<OrderList>>,
    caller: SignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Reply, ApiError> {
    let list = format!("orders of {}", caller.user_id);
    let open = |cursor: String| app.cursors.open::<OrderId>(&list, &cursor);
    let after = query.cursor.map(open).transpose()?;
    let (orders, next) = app.orders.page(caller.user_id, query.limit, after).await?;
    let items: Result<Vec<_>, _> = orders.iter().map(OrderView::try_from).collect();
    let page = Page {
        items: items.map_err(ApiError::internal)?,
        limit: query.limit,
        next_cursor: next.and_then(|last| app.cursors.seal(&list, &last)),
    };
    Ok(Reply::page("orders", &page))
}
