//! The outbox: an event is an item of the same table as the state that it
//! reports, written in the same transaction. The table's stream brings it to the
//! service's relay ([`crate::relay`]), which publishes it.

use contracts::Envelope;
use jiff::SignedDuration;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Key, StoreError, Transaction};

/// The index of events that are not known to be published.
pub const UNSENT_INDEX: &str = "unsent";
/// Partitions of that index. An order's four events are put into it and taken
/// out again: 8 write units, so 1,000 orders a second write 8,000. A partition
/// takes 1,000, and sixteen are half full then. A sweep reads each of them. Only
/// ever more: events of earlier releases are in the first four.
pub const UNSENT_SHARDS: u8 = 16;
/// How old an unsent event is before the sweep sends it: long past what the
/// stream needs.
pub(crate) const SWEEP_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// How long an event is kept that is no part of a history.
const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long an event stays in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It is part of a history.
    Forever,
    /// Thirty days: longer than any queue retains it.
    ThirtyDays,
}

/// An event as an item.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutboxItem {
    /// The partition key of the state that it reports.
    pub pk: String,
    /// The sort key, unique in the partition.
    pub sk: String,
    /// The CloudEvents JSON, as it is published; afterwards without its private
    /// members ([`contracts::private_members`]).
    pub event: String,
    /// Its shard of [`UNSENT_INDEX`] until it is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsent: Option<String>,
    /// When it was written, in milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsent_since: Option<i64>,
    /// When it may be deleted, in seconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

impl OutboxItem {
    /// The event as an item that is still to be published.
    ///
    /// # Errors
    /// When the event does not serialise, which is a defect.
    pub fn new(key: Key, event: &Envelope, keep: Keep) -> Result<Self, serde_json::Error> {
        let expires = |time: Timestamp| time.saturating_add(RETENTION).map(Timestamp::as_second);
        Ok(Self {
            pk: key.pk,
            sk: key.sk,
            event: serde_json::to_string(event)?,
            unsent: Some(shard_of(event).to_string()),
            unsent_since: Some(event.time.as_millisecond()),
            expires_at: match keep {
                Keep::Forever => None,
                Keep::ThirtyDays => expires(event.time).ok(),
            },
        })
    }

    /// Where the item is.
    pub fn key(&self) -> Key {
        Key::new(self.pk.as_str(), self.sk.as_str())
    }

    /// The event as it is kept: without its private members, also while it still
    /// has them because it is not published yet.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn envelope(&self) -> Result<Envelope, serde_json::Error> {
        Ok(self.published()?.without_private_members())
    }

    /// The event as it is published.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn published(&self) -> Result<Envelope, serde_json::Error> {
        serde_json::from_str(&self.event)
    }
}

fn shard_of(event: &Envelope) -> u8 {
    event.id.as_uuid().as_bytes()[15] % UNSENT_SHARDS
}

impl Transaction {
    /// Announces an event together with the state that it reports, whose
    /// partition is `pk`; `sk` must be new there.
    #[must_use]
    pub fn announce(self, pk: &str, sk: &str, event: &Envelope, keep: Keep) -> Self {
        match OutboxItem::new(Key::new(pk, sk), event, keep) {
            Ok(item) => self.insert("event", &item),
            Err(error) => self.with_fault(StoreError::call("TransactWriteItems", error)),
        }
    }
}
