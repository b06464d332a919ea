//! The events that move a placed order to its next state.

use contracts::{
    Envelope, EventData, ReadEventError, Stamp,
    events::{
        CancellationReason, OrderAuthorized, OrderCancelled, OrderCommitted, OrderConfirmed,
        OrderPaymentFailed,
    },
};

use super::Order;

#[derive(Clone, Debug, PartialEq)]
pub enum Transition {
    Authorized(OrderAuthorized),
    Committed(OrderCommitted),
    Confirmed(OrderConfirmed),
    Cancelled(OrderCancelled),
    PaymentFailed(OrderPaymentFailed),
}

impl Transition {
    pub fn envelope(&self, stamp: Stamp) -> Envelope {
        match self {
            Self::Authorized(data) => Envelope::new(data, stamp),
            Self::Committed(data) => Envelope::new(data, stamp),
            Self::Confirmed(data) => Envelope::new(data, stamp),
            Self::Cancelled(data) => Envelope::new(data, stamp),
            Self::PaymentFailed(data) => Envelope::new(data, stamp),
        }
    }

    /// `None` for an event of another type.
    pub fn read(event: &Envelope) -> Result<Option<Self>, ReadEventError> {
        Ok(Some(match event.event_type.as_str() {
            OrderAuthorized::TYPE => Self::Authorized(event.read()?),
            OrderCommitted::TYPE => Self::Committed(event.read()?),
            OrderConfirmed::TYPE => Self::Confirmed(event.read()?),
            OrderCancelled::TYPE => Self::Cancelled(event.read()?),
            OrderPaymentFailed::TYPE => Self::PaymentFailed(event.read()?),
            _ => return Ok(None),
        }))
    }

    /// Why the order failed, if this transition from `before` is a failure: one
    /// of five values, as a metric's label needs. The provider's own reasons are
    /// not bounded.
    pub const fn failure_reason(&self, before: &Order) -> Option<&'static str> {
        match self {
            Self::Cancelled(cancelled) => Some(cancellation_code(cancelled.reason)),
            Self::PaymentFailed(_) if before.committed => Some("capture_failed"),
            Self::PaymentFailed(_) => Some("payment_declined"),
            Self::Authorized(_) | Self::Committed(_) | Self::Confirmed(_) => None,
        }
    }
}

/// The reason's stable code, as in the event's JSON.
pub(super) const fn cancellation_code(reason: CancellationReason) -> &'static str {
    match reason {
        CancellationReason::ReservationExpired => "reservation_expired",
        CancellationReason::StockUnavailable => "stock_unavailable",
        CancellationReason::CancelledByShop => "cancelled_by_shop",
    }
}
