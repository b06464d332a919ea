//! `reserve-stock`: reserves goods for an order, all lines or none. Called by
//! `place-order`, which repeats a call that was not answered.
//!
//! When others buy the same goods at the same time, another place is tried, or
//! places are opened; and when all of that takes too long, the call is answered
//! with just that. See [`crate::shelves`].
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

use std::{collections::HashMap, sync::Arc, time::Duration};

use contracts::{
    calls::{ReserveStock, StockReservation},
    order_total,
};
use dynamo::{Attempts, CommitError, Outcome, StoreError};
use kernel::ProductId;
use runtime::{Environment, Function, Grant, Host, call, grant};

use crate::{
    domain::{
        InvalidLines, Place, Product, Reservation, ShareCondition, Shelf, TakenFrom,
        UnverifiedShare, check_availability, validate_lines,
    },
    shelves::{Choice, Shelves},
    store::CatalogStore,
};

/// The time after which no attempt begins, and after which the call fails. The
/// caller waits for 3.3 s, and would repeat a call that still runs.
const ATTEMPTS_TIME_MAX: Duration = Duration::from_millis(1_800);
const TIME_MAX: Duration = Duration::from_millis(3_000);
/// Conflicts on a product within one call, from which on shards are opened for
/// it. One is chance.
const CONFLICTS_MIN: u32 = 2;

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
    shelves: Shelves,
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
            shelves: Shelves::default(),
            host: environment.host().clone(),
        })
    }
}

/// Why it is not known whether the goods are reserved.
#[derive(Debug, thiserror::Error)]
enum ReserveStockError {
    #[error(transparent)]
    InvalidLines(#[from] InvalidLines),
    #[error("not within {TIME_MAX:?}")]
    TimedOut,
    #[error(transparent)]
    Store(#[from] StoreError),
}

async fn reserve_stock(
    app: &Reservations,
    call: ReserveStock,
) -> Result<StockReservation, ReserveStockError> {
    validate_lines(&call.lines)?;
    let reserving = tokio::time::timeout(TIME_MAX, try_to_reserve(app, &call));
    reserving.await.map_err(|_| ReserveStockError::TimedOut)?
}

async fn try_to_reserve(
    app: &Reservations,
    call: &ReserveStock,
) -> Result<StockReservation, ReserveStockError> {
    let is_limited = call.unverified && app.unverified_share.is_limited();
    let mut conflicts = 0;
    let mut attempts = Attempts::new(app.host.random()).within(ATTEMPTS_TIME_MAX);
    while attempts.next().await {
        let product_ids = call.lines.iter().map(|line| line.product_id);
        let products = app.catalog.products(product_ids).await?;
        let Some(places) = choose_places(app, call, products, is_limited).await? else {
            continue;
        };
        let lines = match check_availability(&call.lines, &places.products) {
            Ok(lines) => lines,
            // The last goods may have gone to this very order, in an earlier
            // call whose reply was lost.
            Err(shortages) => {
                let repeated = repeated_reply(app, call).await?;
                return Ok(repeated.unwrap_or(StockReservation::Refused { shortages }));
            }
        };
        // Only the lines that are read here can be reserved: the transaction
        // requires their prices.
        if call.knows_invalid_total
            && let Err(error) = order_total(&lines)
        {
            let repeated = repeated_reply(app, call).await?;
            return Ok(repeated.unwrap_or(StockReservation::InvalidTotal { error }));
        }
        let shares: Vec<ShareCondition> = if is_limited {
            match app.unverified_share.admit(&lines, &places.shelves) {
                Ok(shares) => shares,
                Err(excesses) => {
                    let repeated = repeated_reply(app, call).await?;
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
        reservation.shards = places.shards;
        match app.catalog.reserve(&reservation, &shares).await {
            Ok(Outcome::Committed) => return Ok(reservation.held_reply()),
            Ok(Outcome::Conflict(positions)) => {
                conflicts += 1;
                if conflicts >= CONFLICTS_MIN {
                    open_shards(app, &reservation, &positions).await?;
                }
            }
            Err(CommitError::Store(error)) => return Err(error.into()),
            Err(CommitError::ConditionFailed(_)) => {
                if let Some(reply) = repeated_reply(app, call).await? {
                    return Ok(reply);
                }
                for line in &call.lines {
                    app.shelves.forget(line.product_id);
                }
            }
        }
    }
    if let Some(reply) = repeated_reply(app, call).await? {
        return Ok(reply);
    }
    if call.knows_contended {
        return Ok(StockReservation::Contended);
    }
    Err(ReserveStockError::Store(StoreError::Contended {
        operation: "reserve stock",
        attempts: Attempts::MAX,
    }))
}

/// Where the goods of a call can be taken from.
#[derive(Default)]
struct Places {
    /// The products, with what is available of them there, or in all if that
    /// is too little.
    products: Vec<Product>,
    shelves: HashMap<ProductId, Shelf>,
    /// The lines for which it is a shard.
    shards: Vec<TakenFrom>,
}

/// `None` if goods had to be moved first, and everything has to be read again.
async fn choose_places(
    app: &Reservations,
    call: &ReserveStock,
    products: Vec<Product>,
    is_limited: bool,
) -> Result<Option<Places>, StoreError> {
    let share = is_limited.then_some(app.unverified_share);
    let mut places = Places::default();
    for mut product in products {
        let product_id = product.id;
        let mut lines = call.lines.iter();
        let Some(line) = lines.find(|line| line.product_id == product_id) else {
            continue;
        };
        let (catalog, host, quantity) = (&app.catalog, &app.host, line.quantity);
        let choice = app.shelves.choose(catalog, host, &product, quantity, share);
        match choice.await? {
            Choice::Take(place, shelf) => {
                product.stock = shelf.stock;
                places.shelves.insert(product_id, shelf);
                if let Place::Shard(shard) = place {
                    places.shards.push(TakenFrom { product_id, shard });
                }
            }
            Choice::TooFew(available) => product.stock = available,
            Choice::Gather(taken) => {
                app.shelves.forget(product_id);
                let gathered = catalog.gather_goods(product_id, &taken, host.now());
                return match gathered.await {
                    // The goods may have been sold meanwhile, or folded.
                    Ok(_) | Err(CommitError::ConditionFailed(_)) => Ok(None),
                    Err(CommitError::Store(error)) => Err(error),
                };
            }
        }
        places.products.push(product);
    }
    Ok(Some(places))
}

/// Opens shards for those products whose own items were contended: `positions`
/// in the transaction that held the goods. Whether it succeeds, or another call was
/// faster, shows at the next attempt.
async fn open_shards(
    app: &Reservations,
    reservation: &Reservation,
    positions: &[usize],
) -> Result<(), StoreError> {
    for position in positions {
        let line = position.checked_sub(1);
        let line = line.and_then(|line| reservation.lines.get(line));
        let Some(product_id) = line.map(|line| line.product_id) else {
            continue;
        };
        if reservation.place_of(product_id) != Place::Product {
            continue;
        }
        let now = app.host.now();
        let Some(product) = app.catalog.product(product_id).await? else {
            continue;
        };
        let Some(opening) = product.opening(now) else {
            continue;
        };
        match app.catalog.open_shards(&product, &opening, now).await {
            Ok(_) | Err(CommitError::ConditionFailed(_)) => app.shelves.forget(product_id),
            Err(CommitError::Store(error)) => return Err(error),
        }
    }
    Ok(())
}

/// The reply if the order has a reservation from an earlier call.
async fn repeated_reply(
    app: &Reservations,
    call: &ReserveStock,
) -> Result<Option<StockReservation>, StoreError> {
    let earlier = app.catalog.reservation(call.order_id).await?;
    Ok(earlier.map(|earlier| earlier.repeated_reply(&call.lines, app.host.now())))
}
