//! Reminders: events that are announced again because whoever waits for their
//! answer has waited for too long.
//!
//! An event can be lost although it was published: a queue that was purged, a
//! defect that is mended. A service that waits for an answer looks at what has not come
//! to its end, after ever longer (see [`is_due`]), and repeats its question: the same
//! event, under the same id, marked as a reminder. A consumer that has seen it does
//! nothing but announce its answer again. An answer is no question, so one reminder
//! leads to one answer at most.

use contracts::Envelope;
use jiff::{SignedDuration, Timestamp};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use crate::{CommitError, Expression, Keep, Key, OutboxItem, Query, StoreError, Table};

/// The age at which something that is not at its end is looked at for the first
/// time; then at twice that age, and so on. Seconds are normal, and queues alone
/// heal most outages.
pub const FIRST_LOOK: SignedDuration = SignedDuration::from_mins(5);
/// For how long an age counts: two runs of a job that runs each minute, in case one
/// fails. A second reminder does no harm.
const LOOK_PERIOD: SignedDuration = SignedDuration::from_mins(2);
/// Events that are read to find one in its partition: more than the states of
/// anything allow.
const EVENTS_MAX: usize = 100;
/// Keys of one shard that are read to find those that are due: a few calls.
const OPEN_READ_MAX: usize = 20_000;

/// Whether something of this age is to be looked at in this minute: at an age of 5,
/// 10, 20, 40 … minutes. It follows from the age alone, so that nothing has to be
/// written down.
pub fn is_due(age: SignedDuration) -> bool {
    let mut look = FIRST_LOOK;
    if age < look {
        return false;
    }
    while let Some(next) = look.checked_mul(2).filter(|next| *next <= age) {
        look = next;
    }
    age - look < LOOK_PERIOD
}

impl Table {
    /// Reads what a shard of the index `open` (`open_shard`, `open_since`) has that is
    /// to be looked at in this minute, oldest first and `limit` at most, strongly consistent.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn due<T: DeserializeOwned>(
        &self,
        shard: u8,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<T>, StoreError> {
        #[derive(Deserialize)]
        struct OpenItem {
            pk: String,
            sk: String,
            open_since: i64,
        }
        let before = now.saturating_sub(FIRST_LOOK).unwrap_or(Timestamp::MIN);
        let query = Query::index("open", "open_shard = :shard AND open_since <= :before")
            .value(":shard", shard.to_string())
            .value(":before", before.as_millisecond());
        let items: Vec<OpenItem> = self.read_all(query, OPEN_READ_MAX).await?;
        let age = |item: &OpenItem| now.as_millisecond() - item.open_since;
        let due = items
            .into_iter()
            .filter(|item| is_due(SignedDuration::from_millis(age(item))));
        let keys = due.take(limit).map(|item| Key::new(item.pk, item.sk));
        self.get_many(keys.collect(), true).await
    }

    /// Announces an event again, as a reminder. Does nothing if there is no such
    /// event, or if it is still to be published. Returns whether it did anything.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remind(&self, key: Key, now: Timestamp) -> Result<bool, StoreError> {
        match self.get::<OutboxItem>(key).await? {
            Some(item) => self.announce_again(item, now).await,
            None => Ok(false),
        }
    }

    /// The same for the last event of one of some types in a partition, whose events
    /// have sort keys that begin with `prefix`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remind_of(
        &self,
        pk: &str,
        prefix: &str,
        types: &[&str],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut last: Option<(Timestamp, OutboxItem)> = None;
        for item in self.list::<OutboxItem>(pk, prefix, EVENTS_MAX).await? {
            let event = read(&item)?;
            let is_later = last.as_ref().is_none_or(|(time, _)| *time <= event.time);
            if types.contains(&event.event_type.as_str()) && is_later {
                last = Some((event.time, item));
            }
        }
        match last {
            Some((_, item)) => self.announce_again(item, now).await,
            None => Ok(false),
        }
    }

    async fn announce_again(&self, item: OutboxItem, now: Timestamp) -> Result<bool, StoreError> {
        if item.unsent.is_some() {
            return Ok(false);
        }
        let event = Envelope {
            reminder: true,
            ..read(&item)?
        };
        let key = Key::new(item.pk, item.sk);
        let again = OutboxItem::new(key.clone(), &event, Keep::Forever).map_err(unreadable)?;
        let announce =
            Expression::update("SET #event = :event, unsent = :shard, unsent_since = :now")
                .only_when("attribute_exists(pk) AND attribute_not_exists(unsent)")
                .name("#event", "event")
                .value(":event", again.event)
                .value(":shard", again.unsent)
                .value(":now", now.as_millisecond());
        match self.update::<IgnoredAny>(key, announce).await {
            Ok(_) => Ok(true),
            Err(CommitError::ConditionFailed(_)) => Ok(false),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}

fn read(item: &OutboxItem) -> Result<Envelope, StoreError> {
    item.envelope().map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> StoreError {
    StoreError::Call {
        operation: "read an event",
        source: error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_at_its_end_is_looked_at_after_ever_longer() {
        let looks: Vec<i64> = (0..200)
            .filter(|age| is_due(SignedDuration::from_mins(*age)))
            .collect();
        assert_eq!(looks, [5, 6, 10, 11, 20, 21, 40, 41, 80, 81, 160, 161]);
    }

    #[test]
    fn an_age_without_end_is_looked_at_or_not() {
        assert!(!is_due(SignedDuration::MIN));
        is_due(SignedDuration::MAX);
    }
}
