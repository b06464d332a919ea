//! `PUT` and `PATCH /api/products/{id}/stock`: changes what can be ordered.

use std::sync::Arc;

use contracts::{Envelope, events::StockAdjusted};
use dynamo::{CommitError, StoreError};
use kernel::{Cause, Clock, ProductId};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, Json, Reply, RequestCause, State},
};
use serde::Serialize;

use crate::{
    App,
    domain::{AdjustStockRefusal, Change, Operation},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:PutItem", "CatalogTable"),
    grant("dynamodb:UpdateItem", "CatalogTable"),
];

/// How often a stock is read and written again when orders change it in
/// between.
const ATTEMPTS_MAX: u32 = 20;

/// The function `adjust-stock`.
pub fn function() -> Function {
    function_at(Clock::System)
}

/// The same with a clock of one's own.
pub fn function_at(clock: Clock) -> Function {
    Endpoint::new("adjust-stock", Access::AdminOrInternal, GRANTS)
        .put("/api/products/{id}/stock", put_stock)
        .patch("/api/products/{id}/stock", patch_stock)
        .start(move |environment| App::shared(environment, clock.clone()))
}

/// Why a stock does not change.
#[derive(Debug, thiserror::Error)]
pub enum AdjustStockError {
    /// There is no such product.
    #[error("there is no such product")]
    Missing,
    /// It cannot change like this.
    #[error(transparent)]
    Refused(#[from] AdjustStockRefusal),
    /// The store failed, or others kept changing the stock.
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

/// Sets the stock, unless another operation is said.
pub async fn put_stock(
    State(app): State<Arc<App>>,
    RequestCause(cause): RequestCause,
    Id(id): Id<ProductId>,
    Json(change): Json<Change>,
) -> Result<Reply, ApiError> {
    reply(&app, id, change, Operation::Set, &cause).await
}

/// Takes the quantity away, unless another operation is said.
pub async fn patch_stock(
    State(app): State<Arc<App>>,
    RequestCause(cause): RequestCause,
    Id(id): Id<ProductId>,
    Json(change): Json<Change>,
) -> Result<Reply, ApiError> {
    reply(&app, id, change, Operation::Decrease, &cause).await
}

async fn reply(
    app: &App,
    id: ProductId,
    change: Change,
    default: Operation,
    cause: &Cause,
) -> Result<Reply, ApiError> {
    let operation = change.operation.unwrap_or(default);
    let adjusted = adjust_stock(app, id, operation, change.quantity, cause).await?;
    let view = StockView {
        product_id: id,
        previous_stock: adjusted.previous_stock,
        stock: adjusted.stock,
    };
    Ok(Reply::ok("stock adjusted", &view))
}

/// Changes a stock from exactly what it was read as, or reads it again.
///
/// What if the answer to the write is lost: the SDK asks again with the same
/// token, and DynamoDB does not write twice. If a later try is refused all the
/// same, the event of the earlier one is looked for: it is written with the
/// change or not at all, so it tells whether the change was ours.
///
/// # Errors
/// [`AdjustStockError`].
pub async fn adjust_stock(
    app: &App,
    id: ProductId,
    operation: Operation,
    quantity: u32,
    cause: &Cause,
) -> Result<StockAdjusted, AdjustStockError> {
    for _ in 0..ATTEMPTS_MAX {
        let seen = app.store.product(id).await?;
        let seen = seen.ok_or(AdjustStockError::Missing)?;
        let adjusted = StockAdjusted {
            product_id: id,
            previous_stock: seen.stock,
            stock: operation.apply(seen.stock, quantity)?,
        };
        let event = Envelope::new(&adjusted, app.clock.now(), cause);
        match app.store.adjust_stock(&seen, adjusted.stock, &event).await {
            Ok(()) => return Ok(adjusted),
            Err(CommitError::Store(error)) => return Err(error.into()),
            Err(CommitError::ConditionFailed(_)) => {
                if app.store.has_announced(id, &event).await? {
                    return Ok(adjusted);
                }
            }
        }
    }
    Err(StoreError::Contended {
        operation: "adjust a stock",
        attempts: ATTEMPTS_MAX,
    }
    .into())
}
