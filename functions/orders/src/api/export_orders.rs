//! `export-orders`: what the service holds on a person, a page at a time.
//! Called by `export-account`.

use contracts::calls::{ExportOrders, ExportedOrders};
use futures_util::future::try_join_all;
use kernel::Limit;
use runtime::{Error, Function, Grant, call, grant};
use serde::Serialize;

use super::{
    get_order_history::{EntryView, entry},
    view::OrderView,
};
use crate::{App, store::StoredOrder};

const GRANTS: &[Grant] = &[
    grant("dynamodb:BatchGetItem", "OrdersTable"),
    grant("dynamodb:GetItem", "OrdersTable"),
    grant("dynamodb:Query", "OrdersTable"),
    grant("dynamodb:Query", "OrdersTable/index/by-user"),
];

/// The function `export-orders`.
pub fn function() -> Function {
    call::service(
        "export-orders",
        GRANTS,
        App::start,
        |app, call| async move { export_orders(&app, call).await },
    )
}

/// An order with every step of it.
#[derive(Debug, Serialize)]
struct ExportView<'a> {
    #[serde(flatten)]
    order: OrderView<'a>,
    history: Vec<EntryView>,
}

/// A page of the person's orders, newest first, as `GET /api/orders/{id}` and
/// its history show them.
///
/// # Errors
/// When the store fails.
pub async fn export_orders(app: &App, call: ExportOrders) -> Result<ExportedOrders, Error> {
    let (stored, next) = app
        .orders
        .page(call.user_id, Limit::default(), call.after)
        .await?;
    let orders = try_join_all(stored.iter().map(|stored| export(app, stored))).await?;
    Ok(ExportedOrders {
        orders,
        payment_ids: stored
            .iter()
            .map(|stored| stored.order.payment_id)
            .collect(),
        next,
    })
}

async fn export(app: &App, stored: &StoredOrder) -> Result<serde_json::Value, Error> {
    let history = app.orders.history(stored.order.order_id).await?;
    let view = ExportView {
        order: OrderView::of(stored)?,
        history: history.into_iter().map(entry).collect(),
    };
    Ok(serde_json::to_value(view)?)
}
