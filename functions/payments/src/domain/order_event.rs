//! The events of orders that payments act on.

use contracts::{
    Envelope, EventData, ReadEventError,
    events::{OrderCancelled, OrderCommitted, OrderPaymentFailed, OrderPlaced},
};
use kernel::{Money, OrderId, PaymentId, UserId};

#[derive(Clone, Debug, PartialEq)]
pub enum OrderEvent {
    /// An order was placed: authorise its payment.
    Placed(OrderPlaced),
    /// Its goods are sold: capture.
    Committed(OrderCommitted),
    /// It was cancelled, or its payment failed: void.
    Ended(OrderEnded),
}

/// An order that will not be fulfilled.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderEnded {
    pub order_id: OrderId,
    pub user_id: UserId,
    pub payment_id: PaymentId,
    pub total: Money,
}

impl OrderEvent {
    /// Returns `None` for an event that concerns no payment.
    pub fn read(event: &Envelope) -> Result<Option<Self>, ReadEventError> {
        Ok(Some(match event.event_type.as_str() {
            OrderPlaced::TYPE => Self::Placed(event.read()?),
            OrderCommitted::TYPE => Self::Committed(event.read()?),
            OrderCancelled::TYPE => {
                let cancelled: OrderCancelled = event.read()?;
                Self::Ended(OrderEnded {
                    order_id: cancelled.order_id,
                    user_id: cancelled.user_id,
                    payment_id: cancelled.payment_id,
                    total: cancelled.total,
                })
            }
            OrderPaymentFailed::TYPE => {
                let failed: OrderPaymentFailed = event.read()?;
                Self::Ended(OrderEnded {
                    order_id: failed.order_id,
                    user_id: failed.user_id,
                    payment_id: failed.payment_id,
                    total: failed.total,
                })
            }
            _ => return Ok(None),
        }))
    }

    pub const fn payment_id(&self) -> PaymentId {
        match self {
            Self::Placed(placed) => placed.payment_id,
            Self::Committed(committed) => committed.payment_id,
            Self::Ended(ended) => ended.payment_id,
        }
    }

    pub const fn order_and_amount(&self) -> (OrderId, Money) {
        match self {
            Self::Placed(placed) => (placed.order_id, placed.total),
            Self::Committed(committed) => (committed.order_id, committed.total),
            Self::Ended(ended) => (ended.order_id, ended.total),
        }
    }
}
