//! A payment and its states.

use contracts::events::OrderPlaced;
use kernel::{Money, OrderId, PaymentId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::OrderEnded;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Authorized,
    Declined,
    Captured,
    CaptureFailed,
    /// The authorisation was voided, or the order ended before there was one.
    Voided,
}

/// The operation begun on an authorised payment. It is recorded before the
/// provider is called and never changed, so a payment is either captured or
/// voided, never both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    Capture,
    Void,
}

/// The provider's id of an authorisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProviderReference(pub String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Payment {
    /// Assigned by the orders service.
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub user_id: UserId,
    pub amount: Money,
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// Why it was declined or could not be captured: the provider's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_reference: Option<ProviderReference>,
    pub created_at: Timestamp,
    /// When the status last changed.
    pub updated_at: Timestamp,
}

impl Payment {
    pub fn authorized(placed: &OrderPlaced, reference: ProviderReference, now: Timestamp) -> Self {
        Self {
            provider_reference: Some(reference),
            ..Self::for_order(placed, Status::Authorized, now)
        }
    }

    pub fn declined(placed: &OrderPlaced, reason: String, now: Timestamp) -> Self {
        Self {
            failure_reason: Some(reason),
            ..Self::for_order(placed, Status::Declined, now)
        }
    }

    /// The record of an order that ended before its payment was authorised, so
    /// that the late `order.placed` authorises nothing.
    pub const fn tombstone(ended: &OrderEnded, now: Timestamp) -> Self {
        Self {
            payment_id: ended.payment_id,
            order_id: ended.order_id,
            user_id: ended.user_id,
            amount: ended.total,
            status: Status::Voided,
            intent: None,
            failure_reason: None,
            provider_reference: None,
            created_at: now,
            updated_at: now,
        }
    }

    const fn for_order(placed: &OrderPlaced, status: Status, now: Timestamp) -> Self {
        Self {
            payment_id: placed.payment_id,
            order_id: placed.order_id,
            user_id: placed.user_id,
            amount: placed.total,
            status,
            intent: None,
            failure_reason: None,
            provider_reference: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// The payment once an operation on it has ended.
    #[must_use]
    pub fn settled(&self, status: Status, failure_reason: Option<String>, now: Timestamp) -> Self {
        Self {
            status,
            failure_reason,
            updated_at: now,
            ..self.clone()
        }
    }
}
