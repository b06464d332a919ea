//! `PUT` and `PATCH /api/products/{id}/stock`: changes the available stock.

use std::sync::Arc;

use contracts::{Envelope, events::StockAdjusted};
use dynamo::{Attempts, StoreError};
use kernel::{Cause, ProductId};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, Json, Reply, RequestCause, State},
};
use serde::Serialize;

use crate::{
    App,
    domain::{Adjustment, AdjustmentError, Operation},
    store::SetStockError,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:PutItem", "CatalogTable"),
    grant("dynamodb:UpdateItem", "CatalogTable"),
];

pub fn function() -> Function {
    Endpoint::new("adjust-stock", Access::AdminOrInternal, GRANTS)
        .put("/api/products/{id}/stock", put_stock)
        .patch("/api/products/{id}/stock", patch_stock)
        .start(App::start)
}

/// Why a stock is not adjusted.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdjustStockError {
    #[error("the product does not exist")]
    NotFound,
    #[error(transparent)]
    Invalid(#[from] AdjustmentError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StockView {
    product_id: ProductId,
    previous_stock: u32,
    stock: u32,
}

/// Sets the stock, unless the body names another operation.
async fn put_stock(
    State(app): State<Arc<App>>,
    RequestCause(cause): RequestCause,
    Id(id): Id<ProductId>,
    Json(adjustment): Json<Adjustment>,
) -> Result<Reply, ApiError> {
    let operation = adjustment.operation.unwrap_or(Operation::Set);
    adjust_stock(&app, id, operation, adjustment.quantity, &cause).await
}

/// Decreases the stock, unless the body names another operation.
async fn patch_stock(
    State(app): State<Arc<App>>,
    RequestCause(cause): RequestCause,
    Id(id): Id<ProductId>,
    Json(adjustment): Json<Adjustment>,
) -> Result<Reply, ApiError> {
    let operation = adjustment.operation.unwrap_or(Operation::Decrease);
    adjust_stock(&app, id, operation, adjustment.quantity, &cause).await
}

async fn adjust_stock(
    app: &App,
    id: ProductId,
    operation: Operation,
    quantity: u32,
    cause: &Cause,
) -> Result<Reply, ApiError> {
    let adjusted = set_stock(app, id, operation, quantity, cause).await?;
    let view = StockView {
        product_id: id,
        previous_stock: adjusted.previous_stock,
        stock: adjusted.stock,
    };
    Ok(Reply::ok("stock adjusted", &view))
}

/// Orders change the stock at any time, so each attempt sets it only if it has
/// not changed since it was read.
async fn set_stock(
    app: &App,
    id: ProductId,
    operation: Operation,
    quantity: u32,
    cause: &Cause,
) -> Result<StockAdjusted, AdjustStockError> {
    let mut attempts = Attempts::new(app.host.random());
    while attempts.next().await {
        let product = app.catalog.product(id).await?;
        let product = product.ok_or(AdjustStockError::NotFound)?;
        let adjusted = StockAdjusted {
            product_id: id,
            previous_stock: product.stock,
            stock: operation.apply(product.stock, quantity)?,
        };
        let event = Envelope::new(&adjusted, app.host.stamp(app.host.now(), cause));
        let written = app.catalog.set_stock(&product, adjusted.stock, &event);
        match written.await {
            Ok(()) => return Ok(adjusted),
            Err(SetStockError::Changed) => {}
            Err(SetStockError::Store(error)) => return Err(error.into()),
        }
    }
    Err(StoreError::Contended {
        operation: "adjust a stock",
        attempts: Attempts::MAX,
    }
    .into())
}
