//! `export-orders`: a user's orders, for the export of an account. Called by
//! `export-account`.

use std::sync::Arc;

use contracts::calls::{ExportOrders, ExportedOrders};
use futures_util::future::try_join_all;
use kernel::Limit;
use runtime::{Error, Function, Grant, call, grant};
use serde::Serialize;

use super::views::{HistoryEntryView, OrderView};
use crate::{App, store::StoredOrder};

const GRANTS: &[Grant] = &[
    grant("dynamodb:BatchGetItem", "OrdersTable"),
    grant("dynamodb:GetItem", "OrdersTable"),
    grant("dynamodb:Query", "OrdersTable"),
    grant("dynamodb:Query", "OrdersTable/index/by-user"),
];

pub fn function() -> Function {
    call::service("export-orders", GRANTS, App::start, export_orders)
}

#[derive(Debug, Serialize)]
struct ExportedOrder<'a> {
    #[serde(flatten)]
    order: OrderView<'a>,
    history: Vec<HistoryEntryView>,
}

/// Returns a page of the user's orders, newest first, as `GET /api/orders/{id}`
/// and `GET /api/orders/{id}/history` show them.
async fn export_orders(app: Arc<App>, call: ExportOrders) -> Result<ExportedOrders, Error> {
    let page = app.orders.page(call.user_id, Limit::default(), call.after);
    let (stored, next) = page.await?;
    let orders = stored.iter().map(|stored| export(&app, stored));
    let payment_ids = stored.iter().map(|stored| stored.order.payment_id);
    Ok(ExportedOrders {
        orders: try_join_all(orders).await?,
        payment_ids: payment_ids.collect(),
        next,
    })
}

async fn export(app: &App, stored: &StoredOrder) -> Result<serde_json::Value, Error> {
    let history = app.orders.history(stored.order.order_id).await?;
    let order = ExportedOrder {
        order: OrderView::try_from(stored)?,
        history: history.into_iter().map(Into::into).collect(),
    };
    Ok(serde_json::to_value(order)?)
}
