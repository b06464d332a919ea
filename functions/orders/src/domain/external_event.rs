//! The events of payments and catalog that concern an order.

use contracts::{
    Envelope, EventData, ReadEventError,
    events::{
        PaymentAuthorized, PaymentCaptureFailed, PaymentCaptured, PaymentDeclined, PaymentDelayed,
        PaymentVoided, ReservationExpired, StockCommitRejected, StockCommitted, StockReleased,
    },
};
use kernel::{Money, OrderId, PaymentId};

#[derive(Clone, Debug, PartialEq)]
pub enum ExternalEvent {
    PaymentAuthorized(PaymentAuthorized),
    PaymentDeclined(PaymentDeclined),
    PaymentCaptured(PaymentCaptured),
    PaymentCaptureFailed(PaymentCaptureFailed),
    PaymentVoided(PaymentVoided),
    PaymentDelayed(PaymentDelayed),
    StockCommitted(StockCommitted),
    StockCommitRejected(StockCommitRejected),
    /// The goods were released because the order ended.
    StockReleased(StockReleased),
    ReservationExpired(ReservationExpired),
}

impl ExternalEvent {
    /// `None` for an event of another type.
    pub fn read(event: &Envelope) -> Result<Option<Self>, ReadEventError> {
        Ok(Some(match event.event_type.as_str() {
            PaymentAuthorized::TYPE => Self::PaymentAuthorized(event.read()?),
            PaymentDeclined::TYPE => Self::PaymentDeclined(event.read()?),
            PaymentCaptured::TYPE => Self::PaymentCaptured(event.read()?),
            PaymentCaptureFailed::TYPE => Self::PaymentCaptureFailed(event.read()?),
            PaymentDelayed::TYPE => Self::PaymentDelayed(event.read()?),
            PaymentVoided::TYPE => Self::PaymentVoided(event.read()?),
            StockCommitted::TYPE => Self::StockCommitted(event.read()?),
            StockCommitRejected::TYPE => Self::StockCommitRejected(event.read()?),
            StockReleased::TYPE => Self::StockReleased(event.read()?),
            ReservationExpired::TYPE => Self::ReservationExpired(event.read()?),
            _ => return Ok(None),
        }))
    }

    pub const fn order_id(&self) -> OrderId {
        match self {
            Self::PaymentAuthorized(event) => event.order_id,
            Self::PaymentDeclined(event) => event.order_id,
            Self::PaymentCaptured(event) => event.order_id,
            Self::PaymentCaptureFailed(event) => event.order_id,
            Self::PaymentVoided(event) => event.order_id,
            Self::PaymentDelayed(event) => event.order_id,
            Self::StockCommitted(event) => event.order_id,
            Self::StockCommitRejected(event) => event.order_id,
            Self::StockReleased(event) => event.order_id,
            Self::ReservationExpired(event) => event.order_id,
        }
    }

    /// Whether the event may concern an order that was never written: goods are
    /// reserved first, and `place-order` may die in between.
    pub const fn may_lack_order(&self) -> bool {
        matches!(self, Self::ReservationExpired(_))
    }

    pub(super) const fn payment(&self) -> Option<(PaymentId, Option<Money>)> {
        match self {
            Self::PaymentAuthorized(event) => Some((event.payment_id, Some(event.amount))),
            Self::PaymentCaptured(event) => Some((event.payment_id, Some(event.amount))),
            Self::PaymentDeclined(event) => Some((event.payment_id, None)),
            Self::PaymentCaptureFailed(event) => Some((event.payment_id, None)),
            Self::PaymentVoided(event) => Some((event.payment_id, None)),
            Self::PaymentDelayed(event) => Some((event.payment_id, None)),
            Self::StockCommitted(_)
            | Self::StockCommitRejected(_)
            | Self::StockReleased(_)
            | Self::ReservationExpired(_) => None,
        }
    }
}
