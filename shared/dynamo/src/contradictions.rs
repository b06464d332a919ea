//! The operator's list: events that contradict what a service has recorded, so
//! that money or goods may be in the wrong place.
//!
//! No repetition helps such an event, and a dead-letter queue would say neither what
//! is wrong nor with which order. It is written down once, counted and logged, and
//! its message is then done. Whoever has settled the matter takes it
//! off the list (`emporium contradictions resolve`).

use contracts::Envelope;
use jiff::Timestamp;
use kernel::OrderId;
use runtime::metrics::CONTRADICTIONS;
use serde::{Deserialize, Serialize};

use crate::{CommitError, Expression, StoreError, Table};

/// The partition of the list in each service's table.
pub const CONTRADICTIONS_PK: &str = "CONTRADICTIONS";

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contradiction {
    /// [`CONTRADICTIONS_PK`].
    pub pk: String,
    /// The event's time and id: in the order in which they happened, each once.
    pub sk: String,
    /// The order that money or goods were for.
    pub order_id: OrderId,
    /// The type of the event.
    pub event_type: String,
    /// What is wrong, in words.
    pub reason: String,
    /// When it was written down.
    pub recorded_at: Timestamp,
}

impl Table {
    /// Puts an event on the operator's list, counts it and logs it. An event that is
    /// on the list already is not put there twice.
    ///
    /// # Errors
    /// When the store fails: then the event has to be delivered again.
    pub async fn record_contradiction(
        &self,
        event: &Envelope,
        order_id: OrderId,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let entry = Contradiction {
            pk: CONTRADICTIONS_PK.to_owned(),
            sk: format!("{}#{}", event.time, event.id),
            order_id,
            event_type: event.event_type.clone(),
            reason: reason.to_owned(),
            recorded_at: now,
        };
        let absent = Expression::when("attribute_not_exists(pk)");
        match self.put(&entry, absent).await {
            // A reminder says nothing new.
            Err(CommitError::ConditionFailed(_)) if event.reminder => return Ok(()),
            // Counted also when it is there: whoever wrote it may have died before counting.
            Ok(()) | Err(CommitError::ConditionFailed(_)) => {}
            Err(CommitError::Store(error)) => return Err(error),
        }
        CONTRADICTIONS.increment(&[]);
        let (event_type, event_id) = (&event.event_type, event.id);
        let correlation_id = &event.correlationid;
        tracing::error!(event_type, %event_id, %order_id, correlation_id, reason, "contradiction");
        Ok(())
    }
}
