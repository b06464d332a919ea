//! `GET /api/orders`: the caller's orders, newest first.

use std::sync::Arc;

use dynamo::CursorKey;
use kernel::{OrderId, Page};
use runtime::{
    Environment, Function, Grant, grant,
    http::{Access, ApiError, Endpoint, PageQuery, Query, Reply, SignedIn, State},
};

use super::view::OrderView;
use crate::store::OrderStore;

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "OrdersTable"),
    grant("dynamodb:BatchGetItem", "OrdersTable"),
    grant("dynamodb:Query", "OrdersTable/index/by-user"),
];

/// The function `list-orders`.
pub fn function() -> Function {
    Endpoint::new("list-orders", Access::SignedIn, GRANTS)
        .get("/api/orders", list_orders)
        .start(Lister::start)
}

/// What listing needs.
pub struct Lister {
    orders: OrderStore,
    cursors: CursorKey,
}

impl Lister {
    async fn start(environment: Environment) -> Result<Arc<Self>, runtime::Error> {
        Ok(Arc::new(Self {
            cursors: CursorKey::from_environment(&environment)?,
            orders: OrderStore::open(&environment).await?,
        }))
    }
}

/// Gives one page of the caller's orders.
pub async fn list_orders(
    State(lister): State<Arc<Lister>>,
    person: SignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Reply, ApiError> {
    let list = format!("orders of {}", person.user_id);
    let open = |cursor: String| lister.cursors.open::<OrderId>(&list, &cursor);
    let after = query.cursor.map(open).transpose()?;
    let (orders, last) = lister
        .orders
        .page(person.user_id, query.limit, after)
        .await?;
    let items: Result<Vec<_>, _> = orders.iter().map(OrderView::of).collect();
    let page = Page {
        items: items.map_err(ApiError::internal)?,
        limit: query.limit,
        next_cursor: last.and_then(|last| lister.cursors.seal(&list, &last)),
    };
    Ok(Reply::page("orders", &page))
}
