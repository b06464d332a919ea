//! The snapshot of an order as an item.

use std::collections::BTreeSet;

use contracts::Envelope;
use kernel::OrderId;
use serde::{Deserialize, Serialize};

use super::{ANONYMOUS, SNAPSHOT, open_shard, partition};
use crate::domain::{Address, Order};

/// An order with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredOrder {
    /// The fold of its events.
    #[serde(flatten)]
    pub order: Order,
    /// Where it goes to. Here only: events go through queues and are kept for
    /// ever, and personal data must do neither.
    pub shipping_address: Address,
    /// The outside events that moved it on, so that each does so once.
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
    /// In the index of open orders; the step that ends the order takes it out.
    open_shard: String,
    /// Since when, in milliseconds since the Unix epoch.
    open_since: i64,
    #[serde(flatten)]
    stored: &'a StoredOrder,
}

impl StoredOrder {
    /// An order that no outside event has moved yet.
    pub const fn new(order: Order, shipping_address: Address) -> Self {
        Self {
            order,
            shipping_address,
            seen: BTreeSet::new(),
        }
    }

    /// Whether nobody can be found through it any more.
    pub fn is_anonymous(&self) -> bool {
        let Address {
            name,
            line1,
            line2,
            postal_code,
            ..
        } = &self.shipping_address;
        let gone = [name, line1, postal_code];
        gone.iter().all(|text| *text == ANONYMOUS) && line2.is_none()
    }

    /// Whether an outside event has moved it already.
    pub fn has_seen(&self, event: &Envelope) -> bool {
        self.seen.contains(&event.dedup_key())
    }

    /// The item of an order that is new, and so open.
    pub(super) fn item(&self, id: OrderId) -> SnapshotItem<'_> {
        SnapshotItem {
            pk: partition(id),
            sk: SNAPSHOT,
            open_shard: open_shard(id).to_string(),
            open_since: self.order.placed_at.as_millisecond(),
            stored: self,
        }
    }
}
