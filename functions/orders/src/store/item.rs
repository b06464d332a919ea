//! The snapshot of an order as an item.

use std::collections::BTreeSet;

use contracts::Envelope;
use kernel::Address;
use serde::{Deserialize, Serialize};

use super::{Hold, REDACTED, SNAPSHOT, open_shard, partition};
use crate::domain::Order;

/// An order, with what is stored beside the fold of its events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredOrder {
    #[serde(flatten)]
    pub order: Order,
    /// Only here: events pass through queues and are kept forever, and personal
    /// data must do neither.
    pub shipping_address: Address,
    /// While the order is open: for whom it counts as such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "counted_as")]
    pub hold: Option<Hold>,
    /// The events of other services that changed it, so that each does so once.
    #[serde(
        default,
        with = "serde_dynamo::string_set",
        skip_serializing_if = "BTreeSet::is_empty"
    )]
    seen: BTreeSet<String>,
}

#[derive(Serialize)]
pub(super) struct SnapshotItem<'a> {
    pk: String,
    sk: &'static str,
    /// The key of the index of open orders; removed when the order ends.
    open_shard: String,
    /// In milliseconds since the Unix epoch.
    open_since: i64,
    #[serde(flatten)]
    stored: &'a StoredOrder,
}

impl StoredOrder {
    pub const fn new(order: Order, shipping_address: Address) -> Self {
        Self {
            order,
            shipping_address,
            hold: None,
            seen: BTreeSet::new(),
        }
    }

    #[must_use]
    pub fn with_hold(self, hold: Hold) -> Self {
        Self {
            hold: Some(hold),
            ..self
        }
    }

    pub fn is_anonymous(&self) -> bool {
        let Address {
            name,
            line1,
            line2,
            postal_code,
            ..
        } = &self.shipping_address;
        let redacted = [name, line1, postal_code];
        redacted.iter().all(|text| *text == REDACTED) && line2.is_none()
    }

    pub fn has_seen(&self, event: &Envelope) -> bool {
        self.seen.contains(&event.dedup_key())
    }

    /// The item of a new, and so open, order.
    pub(super) fn new_item(&self) -> SnapshotItem<'_> {
        let id = self.order.order_id;
        SnapshotItem {
            pk: partition(id),
            sk: SNAPSHOT,
            open_shard: open_shard(id).to_string(),
            open_since: self.order.placed_at.as_millisecond(),
            stored: self,
        }
    }
}
