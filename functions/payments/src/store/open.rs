//! Payments that are not at their end, and events that contradict theirs.

use contracts::{Envelope, EventData, events::PaymentDelayed};
use dynamo::{CommitError, Expression, Keep, Key, OutboxItem, StoreError};
use kernel::{OrderId, PaymentId, Timestamp};
use serde::de::IgnoredAny;

use super::{EVENTS, OPEN_SHARDS, PaymentStore, StoredPayment, key, partition};

pub(super) fn open_shard(id: PaymentId) -> String {
    (id.as_uuid().as_bytes()[15] % OPEN_SHARDS).to_string()
}

impl PaymentStore {
    /// Reads the payments of a shard that are not at their end and are to be looked
    /// at in this minute, oldest first and `limit` at most, strongly consistent.
    pub async fn due(
        &self,
        shard: u8,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<StoredPayment>, StoreError> {
        self.table.due(shard, now, limit).await
    }

    /// Takes a payment that is at its end out of the index: the previous release
    /// does not. Idempotent.
    pub async fn close(&self, id: PaymentId) -> Result<(), StoreError> {
        let close =
            Expression::update("REMOVE open_shard, open_since").only_when("attribute_exists(pk)");
        match self.table.update::<IgnoredAny>(key(id), close).await {
            Ok(_) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Puts an event that contradicts its payment on the operator's list.
    pub async fn record_contradiction(
        &self,
        event: &Envelope,
        order_id: OrderId,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let table = &self.table;
        table
            .record_contradiction(event, order_id, reason, now)
            .await
    }

    /// Announces that a payment is delayed. It changes nothing, so the event is
    /// written alone.
    pub async fn announce_delay(&self, event: &Envelope) -> Result<(), StoreError> {
        debug_assert!(event.is::<PaymentDelayed>(), "{}", PaymentDelayed::TYPE);
        let key = Key::new(
            format!("PAYMENT#{}", event.subject),
            format!("{EVENTS}{}", event.id),
        );
        let item = OutboxItem::new(key, event, Keep::ThirtyDays)
            .map_err(|error| StoreError::call("PutItem", error))?;
        let absent = Expression::when("attribute_not_exists(pk)");
        match self.table.put(&item, absent).await {
            // An earlier attempt, whose reply was lost.
            Ok(()) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Announces the last event of one of some types again, as a reminder.
    pub async fn answer_again(
        &self,
        id: PaymentId,
        types: &[&str],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.table
            .remind_of(&partition(id), EVENTS, types, now)
            .await
    }
}
