//! The attributes of a payment's item.

use std::collections::BTreeSet;

use contracts::Envelope;
use serde::{Deserialize, Serialize};

use super::{PAYMENT_SK, open::open_shard, partition};
use crate::domain::Payment;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredPayment {
    #[serde(flatten)]
    pub payment: Payment,
    /// The order events that changed the payment, so that each does so once.
    #[serde(
        default,
        with = "serde_dynamo::string_set",
        skip_serializing_if = "BTreeSet::is_empty"
    )]
    seen: BTreeSet<String>,
}

impl StoredPayment {
    /// Whether an event has already changed the payment.
    pub fn has_seen(&self, event: &Envelope) -> bool {
        self.seen.contains(&event.dedup_key())
    }
}

#[derive(Serialize)]
pub(super) struct NewPayment<'a> {
    pk: String,
    sk: &'static str,
    /// The key of the index of open payments; removed when the payment ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    open_shard: Option<String>,
    /// In milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    open_since: Option<i64>,
    #[serde(flatten)]
    payment: &'a Payment,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl<'a> NewPayment<'a> {
    pub(super) fn new(payment: &'a Payment) -> Self {
        let is_open = !payment.status.is_final();
        Self {
            open_shard: is_open.then(|| open_shard(payment.payment_id)),
            open_since: is_open.then(|| payment.created_at.as_millisecond()),
            pk: partition(payment.payment_id),
            sk: PAYMENT_SK,
            payment,
            expires_at: payment.expires_at(),
        }
    }
}
