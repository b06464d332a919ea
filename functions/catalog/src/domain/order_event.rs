//! The events of orders that reservations depend on.

use contracts::{
    Envelope, EventData, ReadEventError,
    events::{OrderAuthorized, OrderCancelled, OrderPaymentFailed},
};
use kernel::OrderId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderEvent {
    pub order_id: OrderId,
    pub outcome: OrderOutcome,
    /// Identifies the event, so that it is handled once.
    pub dedup_key: String,
    pub correlation_id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderOutcome {
    /// The payment is authorised, and is captured once the goods are sold.
    Authorized,
    /// The order was cancelled, or its payment failed.
    Ended,
}

impl OrderEvent {
    /// Returns `None` for an event that concerns no reservation.
    ///
    /// # Errors
    /// When its data does not match its type.
    pub fn read(event: &Envelope) -> Result<Option<Self>, ReadEventError> {
        let (order_id, outcome) = match event.event_type.as_str() {
            OrderAuthorized::TYPE => {
                let authorized: OrderAuthorized = event.read()?;
                (authorized.order_id, OrderOutcome::Authorized)
            }
            OrderCancelled::TYPE => {
                let cancelled: OrderCancelled = event.read()?;
                (cancelled.order_id, OrderOutcome::Ended)
            }
            OrderPaymentFailed::TYPE => {
                let failed: OrderPaymentFailed = event.read()?;
                (failed.order_id, OrderOutcome::Ended)
            }
            _ => return Ok(None),
        };
        Ok(Some(Self {
            order_id,
            outcome,
            dedup_key: event.dedup_key(),
            correlation_id: event.correlationid.clone(),
        }))
    }
}
