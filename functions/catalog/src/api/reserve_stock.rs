//! `reserve-stock`: reserves goods for an order, all lines or none. Called by
//! `place-order`, which repeats a call that was not answered.
//!
//! One transaction takes the goods of all lines and writes the reservation
//! under the order's id. So repeated and simultaneous calls find a single
//! reservation, and a function that dies leaves a complete one or none. A
//! reservation whose order never follows expires.
//!
//! Lines that no order can have together, because of their prices, are refused
//! before anything is taken: the goods would be held for an order that cannot
//! follow.
//!
//! Buyers who have not proven their address hold no more than a share of each
//! product together: the same transaction counts what they hold, under a
//! condition on that number.

use std::sync::Arc;

use contracts::{
    calls::{ReserveStock, StockReservation},
    order_total,
};
use dynamo::{Attempts, CommitError, StoreError};
use runtime::{Environment, Function, Grant, Host, call, grant};

use crate::{
    domain::{
        InvalidLines, Reservation, ShareCondition, UnverifiedShare, check_availability,
        validate_lines,
    },
    store::CatalogStore,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:BatchGetItem", "CatalogTable"),
    grant("dynamodb:PutItem", "CatalogTable"),
    grant("dynamodb:UpdateItem", "CatalogTable"),
];

pub fn function() -> Function {
    call::service(
        "reserve-stock",
        GRANTS,
        Reservations::start,
        |app: Arc<Reservations>, call| async move { Ok(reserve_stock(&app, call).await?) },
    )
}

struct Reservations {
    catalog: CatalogStore,
    unverified_share: UnverifiedShare,
    host: Host,
}

impl Reservations {
    async fn start(environment: Environment) -> Result<Self, runtime::Error> {
        let share = UnverifiedShare::default();
        let expected = "a percentage from 1 to 100";
        let catalog = CatalogStore::open(&environment).await?;
        // Its stock counts goods as available that have been sold since. Asked once
        // an instance, because the writers of a table are stopped to restore it.
        if catalog.is_restored().await? {
            return Err("the table was restored, and is not reconciled with orders".into());
        }
        Ok(Self {
            catalog,
            unverified_share: environment.parse_or("UNVERIFIED_SHELF_PERCENT", share, expected)?,
            host: environment.host().clone(),
        })
    }
}

/// Why it is not known whether the goods are reserved.
#[derive(Debug, thiserror::Error)]
enum ReserveStockError {
    #[error(transparent)]
    InvalidLines(#[from] InvalidLines),
    #[error(transparent)]
    Store(#[from] StoreError),
}

async fn reserve_stock(
    app: &Reservations,
    call: ReserveStock,
) -> Result<StockReservation, ReserveStockError> {
    validate_lines(&call.lines)?;
    let mut attempts = Attempts::new(app.host.random());
    while attempts.next().await {
        let product_ids = call.lines.iter().map(|line| line.product_id);
        let products = app.catalog.products(product_ids).await?;
        let lines = match check_availability(&call.lines, &products) {
            Ok(lines) => lines,
            // The last goods may have gone to this very order, in an earlier
            // call whose reply was lost.
            Err(shortages) => {
                let repeated = repeated_reply(app, &call).await?;
                return Ok(repeated.unwrap_or(StockReservation::Refused { shortages }));
            }
        };
        // Only the lines that are read here can be reserved: the transaction
        // requires their prices.
        if call.knows_invalid_total
            && let Err(error) = order_total(&lines)
        {
            let repeated = repeated_reply(app, &call).await?;
            return Ok(repeated.unwrap_or(StockReservation::InvalidTotal { error }));
        }
        let is_limited = call.unverified && app.unverified_share.is_limited();
        let shares: Vec<ShareCondition> = if is_limited {
            match app.unverified_share.admit(&lines, &products) {
                Ok(shares) => shares,
                Err(excesses) => {
                    let repeated = repeated_reply(app, &call).await?;
                    return Ok(repeated.unwrap_or(StockReservation::Limited { excesses }));
                }
            }
        } else {
            Vec::new()
        };
        let correlation_id = call.correlation_id.clone();
        let mut reservation =
            Reservation::hold(call.order_id, lines, correlation_id, app.host.now());
        reservation.unverified = is_limited;
        match app.catalog.reserve(&reservation, &shares).await {
            Ok(()) => return Ok(reservation.held_reply()),
            Err(CommitError::Store(error)) => return Err(error.into()),
            Err(CommitError::ConditionFailed(_)) => {
                if let Some(reply) = repeated_reply(app, &call).await? {
                    return Ok(reply);
                }
            }
        }
    }
    Err(ReserveStockError::Store(StoreError::Contended {
        operation: "reserve stock",
        attempts: Attempts::MAX,
    }))
}

/// The reply if the order has a reservation from an earlier call.
async fn repeated_reply(
    app: &Reservations,
    call: &ReserveStock,
) -> Result<Option<StockReservation>, StoreError> {
    let earlier = app.catalog.reservation(call.order_id).await?;
    Ok(earlier.map(|earlier| earlier.repeated_reply(&call.lines, app.host.now())))
}
