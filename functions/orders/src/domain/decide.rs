//! The process manager: what an outside event means for an order. The only
//! place in the shop that decides this; payments and catalog obey and answer.
//!
//! Events come at least once and in any order, but not without their cause:
//! catalog answers `stock.committed` only to our `order.authorized`, which is
//! published after the order is authorised, and payments captures only on our
//! `order.committed`. So the only events that truly cross are those that come
//! by themselves: `reservation.expired` (a timer) against all others, and
//! repetitions against everything. What cannot come before its cause is still
//! never thrown away: it is [`Decision::NotYet`], and the queue brings it
//! again, or a person finds it in the dead-letter queue.

use contracts::{
    Envelope, EventData, ReadEventError,
    events::{
        CancellationReason, OrderAuthorized, OrderCancelled, OrderCommitted, OrderConfirmed,
        OrderPaymentFailed, PaymentAuthorized, PaymentCaptureFailed, PaymentCaptured,
        PaymentDeclined, PaymentVoided, RejectionReason, ReservationExpired, StockCommitRejected,
        StockCommitted, StockReleased,
    },
};
use kernel::{Money, OrderId, PaymentId};

use super::{Order, Status, Step};

/// What another service says happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The provider promises the money.
    PaymentAuthorized(PaymentAuthorized),
    /// It does not.
    PaymentDeclined(PaymentDeclined),
    /// The money is taken.
    PaymentCaptured(PaymentCaptured),
    /// It could not be.
    PaymentCaptureFailed(PaymentCaptureFailed),
    /// The promise was given back.
    PaymentVoided(PaymentVoided),
    /// The goods are sold to the order.
    StockCommitted(StockCommitted),
    /// They are not held any more.
    StockCommitRejected(StockCommitRejected),
    /// They went back because we said that the order is over.
    StockReleased(StockReleased),
    /// They went back because their time was over.
    ReservationExpired(ReservationExpired),
}

impl Input {
    /// What an event says to orders; `None` when it says nothing to them.
    ///
    /// # Errors
    /// When its data does not read.
    pub fn read(event: &Envelope) -> Result<Option<Self>, ReadEventError> {
        Ok(Some(match event.event_type.as_str() {
            PaymentAuthorized::TYPE => Self::PaymentAuthorized(event.read()?),
            PaymentDeclined::TYPE => Self::PaymentDeclined(event.read()?),
            PaymentCaptured::TYPE => Self::PaymentCaptured(event.read()?),
            PaymentCaptureFailed::TYPE => Self::PaymentCaptureFailed(event.read()?),
            PaymentVoided::TYPE => Self::PaymentVoided(event.read()?),
            StockCommitted::TYPE => Self::StockCommitted(event.read()?),
            StockCommitRejected::TYPE => Self::StockCommitRejected(event.read()?),
            StockReleased::TYPE => Self::StockReleased(event.read()?),
            ReservationExpired::TYPE => Self::ReservationExpired(event.read()?),
            _ => return Ok(None),
        }))
    }

    /// The order that it is about.
    pub const fn order_id(&self) -> OrderId {
        match self {
            Self::PaymentAuthorized(event) => event.order_id,
            Self::PaymentDeclined(event) => event.order_id,
            Self::PaymentCaptured(event) => event.order_id,
            Self::PaymentCaptureFailed(event) => event.order_id,
            Self::PaymentVoided(event) => event.order_id,
            Self::StockCommitted(event) => event.order_id,
            Self::StockCommitRejected(event) => event.order_id,
            Self::StockReleased(event) => event.order_id,
            Self::ReservationExpired(event) => event.order_id,
        }
    }

    /// Whether it may be about an order that never came to be: goods are held
    /// before the order is written, and `place-order` may die in between.
    pub const fn may_precede_order(&self) -> bool {
        matches!(self, Self::ReservationExpired(_))
    }

    const fn payment(&self) -> Option<(PaymentId, Option<Money>)> {
        match self {
            Self::PaymentAuthorized(event) => Some((event.payment_id, Some(event.amount))),
            Self::PaymentCaptured(event) => Some((event.payment_id, Some(event.amount))),
            Self::PaymentDeclined(event) => Some((event.payment_id, None)),
            Self::PaymentCaptureFailed(event) => Some((event.payment_id, None)),
            Self::PaymentVoided(event) => Some((event.payment_id, None)),
            Self::StockCommitted(_)
            | Self::StockCommitRejected(_)
            | Self::StockReleased(_)
            | Self::ReservationExpired(_) => None,
        }
    }
}

/// What is to be done about an [`Input`].
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// The order moves on.
    Step(Step),
    /// Nothing: it is settled already, or another event will settle it.
    Ignore(&'static str),
    /// It came before its cause: it must come again.
    NotYet(&'static str),
    /// It cannot be true together with what the order knows: a person must
    /// look at it, because money may be where it should not be.
    Contradiction(&'static str),
}

/// How far an order is, as far as deciding goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No promise of money yet.
    Pending,
    /// The money is promised, the goods are only held.
    Authorized,
    /// The money is promised and the goods are sold.
    Committed,
    /// The money was taken.
    Paid,
    /// Over without money.
    Over,
}

const fn stage(order: &Order) -> Stage {
    match (order.status, order.committed) {
        (Status::Pending, _) => Stage::Pending,
        (Status::Authorized, false) => Stage::Authorized,
        (Status::Authorized, true) => Stage::Committed,
        (Status::Confirmed | Status::Shipped | Status::Delivered | Status::Refunded, _) => {
            Stage::Paid
        }
        (Status::Cancelled | Status::PaymentFailed, _) => Stage::Over,
    }
}

/// Decides what `input` means for `order`. The table below is complete by the
/// compiler's check: every stage meets every event, and no arm is a catch-all.
pub fn decide(order: &Order, input: &Input) -> Decision {
    use Decision::{Contradiction, Ignore, NotYet};
    use Input as I;

    if let Some((payment_id, amount)) = input.payment() {
        if payment_id != order.payment_id {
            return Contradiction("it is about another payment than the order's");
        }
        if amount.is_some_and(|amount| amount != order.total) {
            return Contradiction("its amount is not the order's total");
        }
    }
    match stage(order) {
        Stage::Pending => match input {
            I::PaymentAuthorized(_) => Decision::Step(authorized(order)),
            I::PaymentDeclined(declined) => Decision::Step(payment_failed(order, &declined.reason)),
            // No money was promised yet, or none that we know of: payments
            // voids what it finds, or never asks for it.
            I::ReservationExpired(_) => {
                Decision::Step(cancelled(order, CancellationReason::ReservationExpired))
            }
            I::StockCommitted(_) | I::StockCommitRejected(_) => {
                NotYet("goods are settled after the payment is authorised")
            }
            I::PaymentCaptured(_) | I::PaymentCaptureFailed(_) => {
                NotYet("money is taken after the goods are sold")
            }
            I::PaymentVoided(_) | I::StockReleased(_) => Ignore("it only follows from our word"),
        },
        Stage::Authorized => match input {
            I::PaymentAuthorized(_) | I::PaymentDeclined(_) => Ignore("the promise is known"),
            I::StockCommitted(_) => Decision::Step(committed(order)),
            I::StockCommitRejected(rejected) => {
                Decision::Step(cancelled(order, why(rejected.reason)))
            }
            // The catalog will say the same to our order.authorized, if that
            // reaches it; the goods are gone either way, and stay gone.
            I::ReservationExpired(_) => {
                Decision::Step(cancelled(order, CancellationReason::ReservationExpired))
            }
            I::PaymentCaptured(_) | I::PaymentCaptureFailed(_) => {
                NotYet("money is taken after the goods are sold")
            }
            I::PaymentVoided(_) | I::StockReleased(_) => Ignore("it only follows from our word"),
        },
        Stage::Committed => match input {
            I::PaymentCaptured(_) => Decision::Step(confirmed(order)),
            I::PaymentCaptureFailed(failed) => {
                Decision::Step(payment_failed(order, &failed.reason))
            }
            I::PaymentAuthorized(_) | I::PaymentDeclined(_) => Ignore("the promise is known"),
            I::StockCommitted(_) | I::StockCommitRejected(_) | I::ReservationExpired(_) => {
                Ignore("the goods are sold")
            }
            I::PaymentVoided(_) | I::StockReleased(_) => Ignore("it only follows from our word"),
        },
        Stage::Paid => match input {
            I::PaymentAuthorized(_)
            | I::PaymentDeclined(_)
            | I::PaymentCaptured(_)
            | I::PaymentCaptureFailed(_)
            | I::PaymentVoided(_)
            | I::StockCommitted(_)
            | I::StockCommitRejected(_)
            | I::StockReleased(_)
            | I::ReservationExpired(_) => Ignore("the order is paid"),
        },
        Stage::Over => match input {
            // Payments never takes money for an order that is over. If it
            // says so all the same, nobody may throw that away.
            I::PaymentCaptured(_) => Contradiction("money was taken for an order that is over"),
            I::PaymentAuthorized(_)
            | I::PaymentDeclined(_)
            | I::PaymentCaptureFailed(_)
            | I::PaymentVoided(_)
            | I::StockCommitted(_)
            | I::StockCommitRejected(_)
            | I::StockReleased(_)
            | I::ReservationExpired(_) => Ignore("the order is over"),
        },
    }
}

const fn why(reason: RejectionReason) -> CancellationReason {
    match reason {
        RejectionReason::ReservationExpired => CancellationReason::ReservationExpired,
        RejectionReason::ReservationReleased | RejectionReason::ReservationMissing => {
            CancellationReason::StockUnavailable
        }
    }
}

const fn authorized(order: &Order) -> Step {
    Step::Authorized(OrderAuthorized {
        order_id: order.order_id,
        payment_id: order.payment_id,
    })
}

const fn committed(order: &Order) -> Step {
    Step::Committed(OrderCommitted {
        order_id: order.order_id,
        payment_id: order.payment_id,
        total: order.total,
    })
}

fn confirmed(order: &Order) -> Step {
    Step::Confirmed(OrderConfirmed {
        order_id: order.order_id,
        user_id: order.user_id,
        payment_id: order.payment_id,
        lines: order.lines.clone(),
        total: order.total,
    })
}

const fn cancelled(order: &Order, reason: CancellationReason) -> Step {
    Step::Cancelled(OrderCancelled {
        order_id: order.order_id,
        user_id: order.user_id,
        payment_id: order.payment_id,
        total: order.total,
        reason,
    })
}

fn payment_failed(order: &Order, reason: &str) -> Step {
    Step::PaymentFailed(OrderPaymentFailed {
        order_id: order.order_id,
        user_id: order.user_id,
        payment_id: order.payment_id,
        total: order.total,
        reason: reason.to_owned(),
    })
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
