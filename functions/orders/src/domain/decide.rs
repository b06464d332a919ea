//! What an event of payments or catalog means for an order; decided nowhere else.
//!
//! Events arrive at least once and in any order, but not before their causes:
//! catalog publishes `stock.committed` only after `order.authorized`, and
//! payments captures only after `order.committed`. So the only races are
//! repetitions, and `reservation.expired`, which a timer causes, against
//! everything else. An event that does arrive before its cause is deferred, not
//! dropped: the queue delivers it again, or it ends in the dead-letter queue.

use contracts::events::{
    CancellationReason, OrderAuthorized, OrderCancelled, OrderCommitted, OrderConfirmed,
    OrderPaymentFailed, RejectionReason,
};

use super::{ExternalEvent, Order, Status, Transition};

/// What an [`ExternalEvent`] requires.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    Apply(Transition),
    /// The event has had its effect, or another event will have it.
    Ignore(&'static str),
    /// Payments or catalog has lost track of the order: announce its last event again.
    Remind,
    /// The order has ended, and its goods are back in stock: nothing is awaited.
    Close,
    /// The event arrived before its cause; it must be delivered again.
    Defer(&'static str),
    /// The event contradicts the order's state. A person has to look at it,
    /// because money or goods may be in the wrong place.
    Contradiction(&'static str),
}

/// The state of an order, as far as decisions depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending,
    /// The payment is authorised, the goods are only reserved.
    Authorized,
    /// The payment is authorised, the goods are sold.
    Committed,
    Paid,
    Failed,
}

impl From<&Order> for State {
    fn from(order: &Order) -> Self {
        match (order.status, order.committed) {
            (Status::Pending, _) => Self::Pending,
            (Status::Authorized, false) => Self::Authorized,
            (Status::Authorized, true) => Self::Committed,
            (Status::Confirmed | Status::Shipped | Status::Delivered | Status::Refunded, _) => {
                Self::Paid
            }
            (Status::Cancelled | Status::PaymentFailed, _) => Self::Failed,
        }
    }
}

/// Decides what an event requires of an order. The match has no catch-all, so
/// the compiler checks that it is complete.
pub fn decide(order: &Order, event: &ExternalEvent) -> Decision {
    use Decision::{Apply, Close, Contradiction, Defer, Ignore, Remind};
    use ExternalEvent as E;

    if let Some((payment_id, amount)) = event.payment() {
        if payment_id != order.payment_id {
            return Contradiction("the event names another payment than the order");
        }
        if amount.is_some_and(|amount| amount != order.total) {
            return Contradiction("the payment's amount is not the order's total");
        }
    }
    match State::from(order) {
        State::Pending => match event {
            E::PaymentAuthorized(_) => Apply(authorized(order)),
            E::PaymentDeclined(declined) => Apply(payment_failed(order, &declined.reason)),
            // Payments voids the authorisation, or never begins it.
            E::ReservationExpired(_) => {
                Apply(cancelled(order, CancellationReason::ReservationExpired))
            }
            E::StockCommitted(_) | E::StockCommitRejected(_) => {
                Defer("the payment is not authorised yet")
            }
            E::PaymentCaptured(_) | E::PaymentCaptureFailed(_) => {
                Defer("the goods are not sold yet")
            }
            E::PaymentVoided(_) => Contradiction("the payment of an open order was voided"),
            E::StockReleased(_) => Contradiction("the goods of an open order were released"),
            E::PaymentDelayed(_) => Remind,
        },
        State::Authorized => match event {
            E::PaymentAuthorized(_) => Ignore("the payment is authorised"),
            E::StockCommitted(_) => Apply(committed(order)),
            E::StockCommitRejected(rejected) => {
                Apply(cancelled(order, cancellation_reason(rejected.reason)))
            }
            // The goods are released for good: catalog will reject the commit,
            // if `order.authorized` has not reached it yet.
            E::ReservationExpired(_) => {
                Apply(cancelled(order, CancellationReason::ReservationExpired))
            }
            E::PaymentCaptured(_) | E::PaymentCaptureFailed(_) => {
                Defer("the goods are not sold yet")
            }
            E::PaymentDeclined(_) => Contradiction("an authorised payment was declined"),
            E::PaymentVoided(_) => Contradiction("the payment of an open order was voided"),
            E::StockReleased(_) => Contradiction("the goods of an open order were released"),
            E::PaymentDelayed(_) => Remind,
        },
        State::Committed => match event {
            E::PaymentCaptured(_) => Apply(confirmed(order)),
            E::PaymentCaptureFailed(failed) => Apply(payment_failed(order, &failed.reason)),
            E::PaymentAuthorized(_) => Ignore("the payment is authorised"),
            E::StockCommitted(_) => Ignore("the goods are sold"),
            E::PaymentDeclined(_) => Contradiction("an authorised payment was declined"),
            E::PaymentVoided(_) => Contradiction("the payment of sold goods was voided"),
            E::StockCommitRejected(_) | E::ReservationExpired(_) | E::StockReleased(_) => {
                Contradiction("goods that were sold to the order went back into stock")
            }
            E::PaymentDelayed(_) => Remind,
        },
        State::Paid => match event {
            E::PaymentAuthorized(_)
            | E::PaymentCaptured(_)
            | E::StockCommitted(_)
            // Sent before the capture.
            | E::PaymentDelayed(_) => Ignore("the order is paid"),
            E::PaymentDeclined(_) | E::PaymentCaptureFailed(_) | E::PaymentVoided(_) => {
                Contradiction("the money of a paid order was not taken, or given up")
            }
            E::StockCommitRejected(_) | E::ReservationExpired(_) | E::StockReleased(_) => {
                Contradiction("the goods of a paid order went back into stock")
            }
        },
        State::Failed => match event {
            // Payments never captures for an order that has failed. If it did,
            // the event must not be dropped.
            E::PaymentCaptured(_) => {
                Contradiction("a payment was captured for an order that has failed")
            }
            E::PaymentDelayed(_) => Remind,
            E::StockReleased(_) if order.awaits_release() => Close,
            // Sold while the order was cancelled: catalog gives the goods back once it
            // knows of the end, and nothing else asks whether it does.
            E::StockCommitted(_) if !order.awaits_release() => Remind,
            // The order's end reaches payments, which voids what it has authorised, and
            // catalog, which releases what it has sold.
            E::PaymentAuthorized(_)
            | E::PaymentDeclined(_)
            | E::PaymentCaptureFailed(_)
            | E::PaymentVoided(_)
            | E::StockCommitted(_)
            | E::StockCommitRejected(_)
            | E::StockReleased(_)
            | E::ReservationExpired(_) => Ignore("the order has failed"),
        },
    }
}

const fn cancellation_reason(reason: RejectionReason) -> CancellationReason {
    match reason {
        RejectionReason::ReservationExpired => CancellationReason::ReservationExpired,
        RejectionReason::ReservationReleased | RejectionReason::ReservationMissing => {
            CancellationReason::StockUnavailable
        }
    }
}

const fn authorized(order: &Order) -> Transition {
    Transition::Authorized(OrderAuthorized {
        order_id: order.order_id,
        payment_id: order.payment_id,
    })
}

const fn committed(order: &Order) -> Transition {
    Transition::Committed(OrderCommitted {
        order_id: order.order_id,
        payment_id: order.payment_id,
        total: order.total,
    })
}

fn confirmed(order: &Order) -> Transition {
    Transition::Confirmed(OrderConfirmed {
        order_id: order.order_id,
        user_id: order.user_id,
        payment_id: order.payment_id,
        lines: order.lines.clone(),
        total: order.total,
    })
}

pub(super) const fn cancelled(order: &Order, reason: CancellationReason) -> Transition {
    Transition::Cancelled(OrderCancelled {
        order_id: order.order_id,
        user_id: order.user_id,
        payment_id: order.payment_id,
        total: order.total,
        reason,
    })
}

fn payment_failed(order: &Order, reason: &str) -> Transition {
    Transition::PaymentFailed(OrderPaymentFailed {
        order_id: order.order_id,
        user_id: order.user_id,
        payment_id: order.payment_id,
        total: order.total,
        reason: reason.to_owned(),
    })
}

#[cfg(test)]
mod tests;
