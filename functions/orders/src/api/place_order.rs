//! `POST /api/orders`: places an order, once for each idempotency key.
//!
//! Claim the key, hold the goods, then write order, event and reply in one
//! transaction. What if it dies
//! - after the claim: the claim runs out, and a retry takes it over;
//! - after the hold: the same, and as the claim names the order's id, which is
//!   the hold's, the retry finds its own hold. Without a retry it runs out;
//! - after the transaction: the retry gets the stored reply.

use std::sync::Arc;

use contracts::{
    Envelope,
    calls::{Call, ReserveStock, Shortage, StockReservation},
    events::{OrderLine, Quantity},
};
use dynamo::{
    CommitError, StoreError,
    idempotency::{Claim, ClaimError, Claimed},
};
use jiff::Timestamp;
use kernel::{Cause, Clock, OrderId, PaymentId, UserId};
use runtime::{
    Environment, Function, Grant,
    aws::Aws,
    call::{CallClient, CallError},
    grant,
    http::{
        Access, ApiError, Endpoint, Idempotent, Reply, RequestCause, SignedIn, State, StoredReply,
    },
};

use super::view::OrderView;
use crate::{
    domain::{Order, PlaceOrder, Placing, RefuseOrderError, place},
    metrics,
    store::{OrderStore, StoredOrder},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "OrdersTable"),
    grant("dynamodb:PutItem", "OrdersTable"),
    grant("dynamodb:UpdateItem", "OrdersTable"),
    grant("dynamodb:DeleteItem", "OrdersTable"),
    grant("lambda:InvokeFunction", "ReserveStockFunction"),
];

/// The function `place-order`.
pub fn function() -> Function {
    function_at(Clock::System)
}

/// The same with a clock of one's own.
pub fn function_at(clock: Clock) -> Function {
    Endpoint::new("place-order", Access::SignedIn, GRANTS)
        .post("/api/orders", place_order)
        .start(move |environment| Checkout::start(environment, clock.clone()))
}

/// What placing an order needs.
pub struct Checkout {
    orders: OrderStore,
    catalog: CallClient,
    clock: Clock,
}

/// Why an order is not placed.
#[derive(Debug, thiserror::Error)]
pub enum PlaceOrderError {
    /// Some goods are not there.
    #[error("not enough stock")]
    Short {
        /// What was asked for.
        asked: Vec<Quantity>,
        /// What is missing.
        shortages: Vec<Shortage>,
    },
    /// An earlier try held the goods, and its hold is over.
    #[error("the hold of an earlier try is over")]
    HoldOver,
    /// The goods are held but do not make an order.
    #[error(transparent)]
    Unacceptable(#[from] RefuseOrderError),
    /// The key cannot be acted on.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The catalog does not answer.
    #[error(transparent)]
    Catalog(#[from] CallError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The reply could not be made.
    #[error("the reply cannot be made")]
    Reply(ApiError),
}

/// Places an order and gives it with 201, or gives again what it gave before
/// for the same key.
pub async fn place_order(
    State(checkout): State<Arc<Checkout>>,
    person: SignedIn,
    RequestCause(cause): RequestCause,
    request: Idempotent<PlaceOrder>,
) -> Result<StoredReply, ApiError> {
    let claim = match checkout.claim(person.user_id, &request).await? {
        Claimed::Completed(reply) => return Ok(reply),
        Claimed::Granted(claim) => claim,
    };
    let order_id = OrderId::from(claim.subject);
    let held = match checkout.hold(order_id, &request.input, &cause).await {
        Ok(held) => held,
        Err(error) => return Err(checkout.let_go(claim, error).await.into()),
    };
    let placed = checkout.placed(order_id, person.user_id, &request.input, held, &cause);
    match placed {
        Ok(placed) => Ok(checkout
            .store(placed, person.user_id, &request, claim)
            .await?),
        Err(error) => Err(checkout.let_go(claim, error).await.into()),
    }
}

/// Goods that are held, with names and prices.
struct Held {
    lines: Vec<OrderLine>,
    until: Timestamp,
}

/// An order that is ready to be written.
struct Placed {
    stored: StoredOrder,
    event: Envelope,
    reply: StoredReply,
}

impl Checkout {
    /// On the table in `TABLE` and the function in `RESERVE_STOCK_FUNCTION`.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn start(
        environment: Environment,
        clock: Clock,
    ) -> Result<Arc<Self>, runtime::Error> {
        let lambda = Aws::from_environment(&environment)?.lambda();
        let function = environment.require("RESERVE_STOCK_FUNCTION")?;
        Ok(Arc::new(Self {
            catalog: CallClient::new(lambda, function, ReserveStock::SERVICE),
            orders: OrderStore::open(&environment).await?,
            clock,
        }))
    }

    async fn claim(
        &self,
        user_id: UserId,
        request: &Idempotent<PlaceOrder>,
    ) -> Result<Claimed, ClaimError> {
        let (fresh, now) = (testkit::new_id::<OrderId>(), self.clock.now());
        self.orders
            .claim(user_id, &request.key, &request.fingerprint, fresh, now)
            .await
    }

    async fn hold(
        &self,
        order_id: OrderId,
        input: &PlaceOrder,
        cause: &Cause,
    ) -> Result<Held, PlaceOrderError> {
        let call = ReserveStock {
            order_id,
            lines: input.items.clone(),
            correlation_id: cause.correlation_id.clone(),
        };
        match self.catalog.call(&call).await? {
            StockReservation::Held {
                lines,
                held_until: until,
            } => Ok(Held { lines, until }),
            StockReservation::Refused { shortages } => {
                let asked = call.lines;
                Err(PlaceOrderError::Short { asked, shortages })
            }
            StockReservation::Gone => Err(PlaceOrderError::HoldOver),
        }
    }

    fn placed(
        &self,
        order_id: OrderId,
        user_id: UserId,
        input: &PlaceOrder,
        held: Held,
        cause: &Cause,
    ) -> Result<Placed, PlaceOrderError> {
        let placed = place(Placing {
            order_id,
            user_id,
            payment_id: testkit::new_id::<PaymentId>(),
            payment_method: input.payment_method.as_str().to_owned(),
            asked: input.items.clone(),
            held: held.lines,
            held_until: held.until,
        })?;
        let event = Envelope::new(&placed, self.clock.now(), cause);
        let order = Order::begin(placed, event.time);
        let stored = StoredOrder::new(order, input.shipping_address.clone());
        let view = OrderView::of(&stored).map_err(|_| RefuseOrderError::TooLarge)?;
        let location = format!("/api/orders/{order_id}");
        let reply = Reply::created("order placed", &location, &view).store();
        let reply = reply.map_err(PlaceOrderError::Reply)?;
        Ok(Placed {
            stored,
            event,
            reply,
        })
    }

    async fn store(
        &self,
        placed: Placed,
        user_id: UserId,
        request: &Idempotent<PlaceOrder>,
        claim: Claim,
    ) -> Result<StoredReply, PlaceOrderError> {
        let Placed {
            stored,
            event,
            reply,
        } = placed;
        match self.orders.insert(&stored, &event, &claim, &reply).await {
            Ok(()) => {
                metrics::placed();
                Ok(reply)
            }
            // Somebody took the claim over, or it was we ourselves and the
            // answer was lost: either way the key tells what came of it. No
            // second order can come of asking.
            Err(CommitError::ConditionFailed(_)) => match self.claim(user_id, request).await? {
                Claimed::Completed(reply) => Ok(reply),
                Claimed::Granted(claim) => Err(self.let_go(claim, ClaimError::InProgress.into()).await),
            },
            // It may have been written all the same: then the key has its
            // reply, which this leaves alone.
            Err(CommitError::Store(error)) => Err(self.let_go(claim, error.into()).await),
        }
    }

    /// Frees the key for a retry, and gives the error back. Where nothing is
    /// held, wholly; else for the same order id, so that the retry finds the
    /// goods that may be held for it and does not hold others beside them.
    async fn let_go(&self, claim: Claim, error: PlaceOrderError) -> PlaceOrderError {
        let freed = match &error {
            PlaceOrderError::Short { .. } | PlaceOrderError::HoldOver => {
                self.orders.release(claim).await
            }
            PlaceOrderError::Unacceptable(_)
            | PlaceOrderError::Claim(_)
            | PlaceOrderError::Catalog(_)
            | PlaceOrderError::Store(_)
            | PlaceOrderError::Reply(_) => self.orders.abandon(claim, self.clock.now()).await,
        };
        if let Err(error) = freed {
            let error = runtime::log::error_chain(&error);
            tracing::warn!(error, "the claim was not let go and will run out");
        }
        error
    }
}
