//! `POST /api/orders`: places an order, once per idempotency key.
//!
//! Claims the key, has catalog reserve the goods, then writes the order, its
//! event and the reply in one transaction. If the function dies
//! - after the claim: the claim expires, and a retry takes it over;
//! - after the reservation: likewise, and since the claim fixes the id of the
//!   order, and so of the reservation, the retry finds the same reservation.
//!   Without a retry the reservation expires;
//! - after the transaction: a retry gets the stored reply.

use std::{future::Future, sync::Arc, time::Duration};

use contracts::{
    OrderTotalError,
    calls::{Call, ReserveStock, Shortage, StockReservation},
    events::Quantity,
};
use dynamo::{
    CommitError, StoreError,
    idempotency::{Claim, ClaimError, Claimed},
};
use kernel::{Cause, OrderId, Principal, UserId};
use runtime::{
    Environment, Function, Grant, Host,
    aws::Aws,
    call::{CallClient, CallError},
    grant,
    http::{
        Access, ApiError, Endpoint, Idempotent, Reply, RequestCause, RequestInfo, SignedIn,
        SourceIp, State, StoredReply,
    },
    log,
};

use tokio::time::{Instant, timeout_at};

use super::{
    order_limits::{self, LimitError, OrderLimits, Placement},
    views::OrderView,
};
use crate::{
    domain::{InvalidOrderError, Order, PlaceOrder, Reservation},
    metrics,
    store::{Hold, OrderStore, StoredOrder},
};

/// For all until the order is written. The function has ten seconds
/// (docs/decisions/0036-time-to-place-an-order.md).
const PLACE_TIME_MAX: Duration = Duration::from_secs(7);
/// For giving up the claim afterwards. Without it, the claim expires by itself.
const GIVE_UP_TIME_MAX: Duration = Duration::from_millis(1_500);

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "OrdersTable"),
    grant("dynamodb:PutItem", "OrdersTable"),
    grant("dynamodb:UpdateItem", "OrdersTable"),
    grant("dynamodb:DeleteItem", "OrdersTable"),
    grant("lambda:InvokeFunction", "ReserveStockFunction"),
];

pub fn function() -> Function {
    Endpoint::new("place-order", Access::SignedIn, GRANTS)
        .post("/api/orders", place_order)
        .start(Checkout::start)
}

struct Checkout {
    orders: OrderStore,
    catalog: CallClient,
    limits: OrderLimits,
    host: Host,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum PlaceOrderError {
    #[error("insufficient stock")]
    InsufficientStock {
        requested: Vec<Quantity>,
        shortages: Vec<Shortage>,
    },
    /// Available, but not to a buyer who has not proven the account's address.
    #[error("the share of unverified buyers is exceeded")]
    UnverifiedLimit {
        requested: Vec<Quantity>,
        excesses: Vec<Shortage>,
    },
    /// An earlier request with the key reserved the goods; its reservation has ended,
    /// or does so within a minute.
    #[error("the reservation of an earlier request has ended")]
    ReservationExpired,
    /// Too many others are buying the same goods at this moment.
    #[error("the goods are contended")]
    Contended,
    #[error(transparent)]
    Limited(#[from] LimitError),
    /// Catalog refused to reserve goods that no order can have together.
    #[error(transparent)]
    InvalidTotal(OrderTotalError),
    #[error(transparent)]
    Invalid(#[from] InvalidOrderError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("the claim no longer holds")]
    ClaimLost,
    #[error(transparent)]
    Catalog(#[from] CallError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store or catalog is slow. What was begun is found by the next request with
    /// the key.
    #[error("out of time")]
    OutOfTime,
    #[error("the reply cannot be made")]
    Reply(ApiError),
}

impl PlaceOrderError {
    /// Whether it is certain that no goods are reserved under the claim. A
    /// refused hold says nothing of an earlier attempt with the key.
    const fn reserved_nothing(&self) -> bool {
        match self {
            Self::InsufficientStock { .. }
            | Self::UnverifiedLimit { .. }
            | Self::InvalidTotal(_)
            | Self::ReservationExpired => true,
            Self::Limited(_)
            | Self::Invalid(_)
            | Self::Claim(_)
            | Self::ClaimLost
            | Self::OutOfTime
            // Unless an attempt landed whose reply was lost.
            | Self::Contended
            | Self::Catalog(_)
            | Self::Store(_)
            | Self::Reply(_) => false,
        }
    }
}

async fn place_order(
    State(app): State<Arc<Checkout>>,
    caller: SignedIn,
    ip: SourceIp,
    info: RequestInfo,
    RequestCause(cause): RequestCause,
    request: Idempotent<PlaceOrder>,
) -> Result<StoredReply, ApiError> {
    let user_id = caller.user_id;
    let until = Instant::now() + PLACE_TIME_MAX;
    let claimed = in_time(until, async {
        let now = app.host.now();
        app.limits.count_request(&app.orders, user_id, now).await?;
        app.claim(user_id, &request).await
    });
    let claim = match claimed.await? {
        Claimed::Completed(reply) => return Ok(reply.replayed()),
        Claimed::Granted(claim) => claim,
    };
    let placed = app.place_within_limits(&claim, &caller, ip, &request.input, &info, &cause);
    let error = match in_time(until, placed).await {
        Ok(reply) => return Ok(reply),
        Err(error) => error,
    };
    let until = Instant::now() + GIVE_UP_TIME_MAX;
    let claim = match error {
        // Another request took the claim over, or this one wrote the order and
        // the store's reply was lost. The key's record shows which.
        PlaceOrderError::ClaimLost => match in_time(until, app.claim(user_id, &request)).await? {
            Claimed::Completed(reply) => return Ok(reply.replayed()),
            Claimed::Granted(claim) => claim,
        },
        _ => claim,
    };
    app.give_up(claim, &error, until).await;
    Err(error.into())
}

/// Does some work until then. Work that is dropped is like a function that died at
/// that place: the next request with the key goes on from there.
async fn in_time<T>(
    until: Instant,
    work: impl Future<Output = Result<T, PlaceOrderError>>,
) -> Result<T, PlaceOrderError> {
    let worked = timeout_at(until, work).await;
    worked.unwrap_or(Err(PlaceOrderError::OutOfTime))
}

impl Checkout {
    async fn start(environment: Environment) -> Result<Self, runtime::Error> {
        let lambda = Aws::from_environment(&environment)?.lambda();
        let function = environment.require("RESERVE_STOCK_FUNCTION")?;
        let host = environment.host().clone();
        Ok(Self {
            catalog: CallClient::new(
                lambda,
                function,
                ReserveStock::SERVICE,
                host.clock().clone(),
            ),
            orders: OrderStore::open(&environment).await?,
            limits: OrderLimits::from_environment(&environment)?,
            host,
        })
    }

    async fn claim(
        &self,
        user_id: UserId,
        request: &Idempotent<PlaceOrder>,
    ) -> Result<Claimed<StoredReply>, PlaceOrderError> {
        let (order_id, now) = (self.host.new_id(), self.host.now());
        let (key, fingerprint) = (&request.key, &request.fingerprint);
        let claim = self.orders.claim(user_id, key, fingerprint, order_id, now);
        Ok(claim.await?)
    }

    /// Counts the order as open while it may hold goods.
    async fn place_within_limits(
        &self,
        claim: &Claim,
        buyer: &Principal,
        ip: SourceIp,
        input: &PlaceOrder,
        info: &RequestInfo,
        cause: &Cause,
    ) -> Result<StoredReply, PlaceOrderError> {
        let placement = Placement {
            user_id: buyer.user_id,
            method: &input.payment_method,
            ip,
            is_verified: !buyer.unverified,
        };
        let (order_id, now) = (claim.subject.into(), self.host.now());
        let random = self.host.random();
        let open = self
            .limits
            .open(&self.orders, order_id, &placement, now, random);
        let hold = open.await?;
        let placed = self.place(claim, buyer, &hold, input, info, cause).await;
        if placed
            .as_ref()
            .is_err_and(PlaceOrderError::reserved_nothing)
        {
            order_limits::close(&self.orders, &hold).await?;
        }
        placed
    }

    async fn place(
        &self,
        claim: &Claim,
        buyer: &Principal,
        hold: &Hold,
        input: &PlaceOrder,
        info: &RequestInfo,
        cause: &Cause,
    ) -> Result<StoredReply, PlaceOrderError> {
        let order_id = claim.subject.into();
        let reservation = self.reserve(order_id, buyer, input, cause).await?;
        let now = self.host.now();
        // Right before the transaction, which takes seconds at most: a retry may have
        // found a reservation of a quarter of an hour ago.
        if reservation.is_over(now) {
            return Err(PlaceOrderError::ReservationExpired);
        }
        let stamp = self.host.stamp(now, cause);
        let payment_id = self.host.new_id();
        let (order, placed) = Order::place(buyer.user_id, payment_id, input, reservation, stamp)?;
        let stored = StoredOrder::new(order, input.shipping_address.clone());
        let stored = stored.with_hold(hold.clone());
        let reply = created(&stored, info).map_err(PlaceOrderError::Reply)?;
        match self.orders.insert(&stored, &placed, claim, &reply).await {
            Ok(()) => {
                metrics::record_placed();
                Ok(reply)
            }
            Err(CommitError::ConditionFailed(_)) => Err(PlaceOrderError::ClaimLost),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    async fn reserve(
        &self,
        order_id: OrderId,
        buyer: &Principal,
        input: &PlaceOrder,
        cause: &Cause,
    ) -> Result<Reservation, PlaceOrderError> {
        let call = ReserveStock {
            order_id,
            lines: input.items.clone(),
            unverified: buyer.unverified,
            knows_invalid_total: true,
            knows_contended: true,
            correlation_id: cause.correlation_id.clone(),
        };
        match self.catalog.call(&call).await? {
            StockReservation::Held { lines, held_until } => Ok(Reservation {
                order_id,
                lines,
                held_until,
            }),
            StockReservation::Refused { shortages } => Err(PlaceOrderError::InsufficientStock {
                requested: call.lines,
                shortages,
            }),
            StockReservation::Limited { excesses } => {
                metrics::record_refused("unverified_limit");
                Err(PlaceOrderError::UnverifiedLimit {
                    requested: call.lines,
                    excesses,
                })
            }
            StockReservation::InvalidTotal { error } => Err(PlaceOrderError::InvalidTotal(error)),
            // An answer, and no failure of catalog: it says nothing of other goods.
            StockReservation::Contended => {
                metrics::record_refused("contended");
                Err(PlaceOrderError::Contended)
            }
            StockReservation::Gone => Err(PlaceOrderError::ReservationExpired),
        }
    }

    /// Lets a retry with the key go ahead. If goods may be reserved, the key
    /// stays bound to the order's id, so that the retry finds the reservation
    /// instead of making a second one. If the order was written after all, the
    /// key has its reply, and giving up changes nothing.
    async fn give_up(&self, claim: Claim, error: &PlaceOrderError, until: Instant) {
        let reserved_nothing = error.reserved_nothing();
        let given_up = in_time(until, async {
            let given_up = match reserved_nothing {
                true => self.orders.release(claim).await,
                false => self.orders.abandon(claim, self.host.now()).await,
            };
            given_up.map_err(PlaceOrderError::from)
        });
        if let Err(error) = given_up.await {
            let error = log::error_chain(&error);
            tracing::warn!(error, "idempotency claim not released; it will expire");
        }
    }
}

fn created(stored: &StoredOrder, info: &RequestInfo) -> Result<StoredReply, ApiError> {
    let view = OrderView::try_from(stored).map_err(ApiError::internal)?;
    let location = format!("/api/orders/{}", stored.order.order_id);
    Reply::created("order placed", &location, &view).into_stored(info)
}
