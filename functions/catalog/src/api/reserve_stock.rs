//! `reserve-stock`: holds goods for an order, all lines or none. Called by
//! `place-order`, which calls again when it has no answer.
//!
//! One transaction takes the goods of every line and writes the reservation
//! under the order's id. So whoever calls twice, or at once, finds one hold;
//! and if the function dies, there is a whole hold or none. A hold that nobody
//! comes for runs out.

use std::sync::Arc;

use contracts::calls::{ReserveStock, StockReservation};
use dynamo::{CommitError, StoreError};
use kernel::{Clock, OrderId};
use runtime::{Function, Grant, call, grant};

use crate::{
    App,
    domain::{BadReservation, Reservation, check_lines, snapshot},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:BatchGetItem", "CatalogTable"),
    grant("dynamodb:PutItem", "CatalogTable"),
    grant("dynamodb:UpdateItem", "CatalogTable"),
];

/// How often products are read again when they change between reading them
/// and taking them, and are still to be had.
const ATTEMPTS_MAX: u32 = 6;

/// The function `reserve-stock`.
pub fn function() -> Function {
    function_at(Clock::System)
}

/// The same with a clock of one's own.
pub fn function_at(clock: Clock) -> Function {
    call::service(
        "reserve-stock",
        GRANTS,
        move |environment| App::start_at(environment, clock.clone()),
        |app, call| async move { Ok(reserve_stock(app, call).await?) },
    )
}

/// Why it cannot be said whether goods are held.
#[derive(Debug, thiserror::Error)]
pub enum ReserveStockError {
    /// The call is not one that an order makes.
    #[error(transparent)]
    Bad(#[from] BadReservation),
    /// The store failed, or others kept changing the products.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Holds the goods of an order, or says what is missing.
///
/// # Errors
/// [`ReserveStockError`]; nothing is held then, or all of it and the next call
/// says so.
pub async fn reserve_stock(
    app: Arc<App>,
    call: ReserveStock,
) -> Result<StockReservation, ReserveStockError> {
    check_lines(&call.lines)?;
    for _ in 0..ATTEMPTS_MAX {
        let asked = call.lines.iter().map(|line| line.product_id);
        let products = app.store.products(asked).await?;
        let lines = match snapshot(&call.lines, &products) {
            Ok(lines) => lines,
            // The last goods may have gone to this very order, in an earlier
            // call whose answer was lost.
            Err(shortages) => {
                let earlier = earlier_answer(&app, &call).await?;
                return Ok(earlier.unwrap_or(StockReservation::Refused { shortages }));
            }
        };
        let held = hold(&app, call.order_id, lines, &call.correlation_id);
        match app.store.hold(&held).await {
            Ok(()) => return Ok(held.held()),
            Err(CommitError::Store(error)) => return Err(error.into()),
            Err(CommitError::ConditionFailed(_)) => {
                if let Some(earlier) = earlier_answer(&app, &call).await? {
                    return Ok(earlier);
                }
            }
        }
    }
    Err(ReserveStockError::Store(StoreError::Contended {
        operation: "hold goods",
        attempts: ATTEMPTS_MAX,
    }))
}

fn hold(
    app: &App,
    order_id: OrderId,
    lines: Vec<contracts::events::OrderLine>,
    correlation_id: &str,
) -> Reservation {
    Reservation::hold(order_id, lines, correlation_id.to_owned(), app.clock.now())
}

/// What an earlier call for the same order is to be told now.
async fn earlier_answer(
    app: &App,
    call: &ReserveStock,
) -> Result<Option<StockReservation>, StoreError> {
    let earlier = app.store.reservation(call.order_id).await?;
    Ok(earlier.map(|earlier| earlier.answer(&call.lines, app.clock.now())))
}
