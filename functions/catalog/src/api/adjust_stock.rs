//! `PUT` and `PATCH /api/products/{id}/stock`: changes the stock.
//!
//! To set it is what follows from a stock-take: it sets what is on hand, of which
//! some may be held for orders. To increase or to decrease it is not idempotent by
//! itself, so it requires an `Idempotency-Key`: the key's record is written in
//! the transaction of the change.
//!
//! Orders change the stock all the time. The first attempts require the numbers
//! that were read, so that reply and event have the exact ones. The
//! next ones only require that the result is possible, and cannot starve.

use std::sync::Arc;

use contracts::{Envelope, events::StockAdjusted};
use dynamo::{
    Attempts, CommitError, StoreError,
    idempotency::{Claim, Effect},
};
use kernel::{Cause, ProductId};
use runtime::{
    Function, Grant, grant,
    http::{
        Access, ApiError, Endpoint, Id, MaybeIdempotent, Reply, RequestCause, RequestInfo, State,
        StoredReply,
    },
};
use serde::Serialize;

use super::keyed::{Failed, Keyed};
use crate::{
    App,
    domain::{Adjustment, AdjustmentError, Operation, gathering},
    shelves,
    store::{AdjustError, Adjusted},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:BatchGetItem", "CatalogTable"),
    grant("dynamodb:PutItem", "CatalogTable"),
    grant("dynamodb:UpdateItem", "CatalogTable"),
    grant("dynamodb:DeleteItem", "CatalogTable"),
];

/// Attempts that require the numbers that were read.
const EXACT_ATTEMPTS: u32 = 3;

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
    #[error("the claim no longer holds")]
    ClaimLost,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the reply cannot be made")]
    Reply(ApiError),
}

impl From<AdjustStockError> for Failed {
    fn from(error: AdjustStockError) -> Self {
        let effect = match &error {
            AdjustStockError::NotFound | AdjustStockError::Invalid(_) => Effect::None,
            AdjustStockError::ClaimLost => Effect::ClaimLost,
            AdjustStockError::Store(_) | AdjustStockError::Reply(_) => Effect::Unknown,
        };
        let error = error.into();
        Self { effect, error }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StockView {
    product_id: ProductId,
    previous_stock: u32,
    stock: u32,
    held: u32,
    on_hand: u32,
}

/// What is asked for, with all that a default has decided.
struct Wanted<'a> {
    id: ProductId,
    operation: Operation,
    quantity: u32,
    info: &'a RequestInfo,
    cause: &'a Cause,
}

/// Sets the stock, unless the body names another operation.
async fn put_stock(
    State(app): State<Arc<App>>,
    RequestCause(cause): RequestCause,
    info: RequestInfo,
    Id(id): Id<ProductId>,
    request: MaybeIdempotent<Adjustment>,
) -> Result<StoredReply, ApiError> {
    adjust_stock(&app, id, Operation::Set, &request, (&info, &cause)).await
}

/// Decreases the stock, unless the body names another operation.
async fn patch_stock(
    State(app): State<Arc<App>>,
    RequestCause(cause): RequestCause,
    info: RequestInfo,
    Id(id): Id<ProductId>,
    request: MaybeIdempotent<Adjustment>,
) -> Result<StoredReply, ApiError> {
    adjust_stock(&app, id, Operation::Decrease, &request, (&info, &cause)).await
}

async fn adjust_stock(
    app: &App,
    id: ProductId,
    default: Operation,
    request: &MaybeIdempotent<Adjustment>,
    (info, cause): (&RequestInfo, &Cause),
) -> Result<StoredReply, ApiError> {
    let wanted = Wanted {
        id,
        operation: request.input.operation.unwrap_or(default),
        quantity: request.input.quantity,
        info,
        cause,
    };
    if !wanted.operation.is_idempotent() {
        request.require_key()?;
    }
    // What a key stands for: an operation of a caller on a product.
    let route = format!("adjust-stock#{id}#{:?}", wanted.operation);
    let keyed = Keyed::new(app, cause, &route, request);
    let claim = match keyed.begin().await? {
        Ok(claim) => claim,
        Err(reply) => return Ok(reply),
    };
    match change_stock(app, &wanted, claim.as_ref()).await {
        Ok(reply) => Ok(reply),
        Err(error) => keyed.fail(claim, error.into()).await,
    }
}

async fn change_stock(
    app: &App,
    wanted: &Wanted<'_>,
    claim: Option<&Claim>,
) -> Result<StoredReply, AdjustStockError> {
    let &Wanted {
        id,
        operation,
        quantity,
        ..
    } = wanted;
    let mut attempts = Attempts::new(app.host.random());
    let mut made = 0;
    while attempts.next().await {
        made += 1;
        let product = app.catalog.product(id).await?;
        let product = product.ok_or(AdjustStockError::NotFound)?;
        let (levels, shards) = shelves::count(&app.catalog, &product).await?;
        let stock = operation.apply(levels, quantity)?;
        // What is on hand is only known, and set, in one place.
        if operation == Operation::Set && product.shards > 0 {
            shelves::fold(&app.catalog, &app.host, id).await?;
            continue;
        }
        if operation == Operation::Decrease
            && product.stock < quantity
            && let Some(taken) = gathering(product.stock, &shards, quantity)
        {
            let gathered = app.catalog.gather_goods(id, &taken, app.host.now());
            match gathered.await {
                Ok(_) | Err(CommitError::ConditionFailed(_)) => continue,
                Err(CommitError::Store(error)) => return Err(error.into()),
            }
        }
        let is_exact = made <= EXACT_ATTEMPTS;
        let adjusted = StockAdjusted {
            product_id: id,
            previous_stock: levels.available,
            stock,
            approximate: !is_exact || product.shards > 0,
        };
        let view = StockView {
            product_id: id,
            previous_stock: levels.available,
            stock,
            held: levels.held,
            on_hand: stock.saturating_add(levels.held),
        };
        let reply = Reply::ok("stock adjusted", &view).into_stored(wanted.info);
        let reply = reply.map_err(AdjustStockError::Reply)?;
        let stamp = app.host.stamp(app.host.now(), wanted.cause);
        let adjusted = Adjusted {
            in_shards: levels.available.saturating_sub(product.stock),
            product: &product,
            operation,
            quantity,
            is_exact,
            event: &Envelope::new(&adjusted, stamp),
        };
        let written = app
            .catalog
            .adjust_stock(&adjusted, claim.map(|claim| (claim, &reply)));
        match written.await {
            Ok(()) => return Ok(reply),
            Err(AdjustError::Changed) => {}
            Err(AdjustError::ClaimLost) => return Err(AdjustStockError::ClaimLost),
            Err(AdjustError::Store(error)) => return Err(error.into()),
        }
    }
    Err(StoreError::Contended {
        operation: "adjust a stock",
        attempts: Attempts::MAX,
    }
    .into())
}
