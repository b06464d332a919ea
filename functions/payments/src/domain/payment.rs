//! A payment and its states.

use contracts::events::OrderPlaced;
use kernel::{Money, OrderId, PaymentId, SignedDuration, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::OrderEnded;

/// How long a payment is kept after its end: eleven years. Records of accounts are
/// kept for ten, counted from the end of their year (in Germany, section 147 of the
/// Fiscal Code); no country of the EU asks for longer.
const RETENTION: SignedDuration = SignedDuration::from_hours(11 * 366 * 24);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The provider is being asked, and may have authorised it already.
    Pending,
    Authorized,
    Declined,
    Captured,
    CaptureFailed,
    /// The authorisation was voided, or the order ended before one was requested.
    Voided,
}

impl Status {
    /// Whether nothing follows any more.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Authorized => false,
            Self::Declined | Self::Captured | Self::CaptureFailed | Self::Voided => true,
        }
    }
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
    /// What the provider is asked to charge; kept only while it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
    pub created_at: Timestamp,
    /// When the status last changed.
    pub updated_at: Timestamp,
}

impl Payment {
    /// The payment of an order, before the provider is asked for the first time.
    pub fn pending(placed: &OrderPlaced, now: Timestamp) -> Self {
        Self {
            payment_id: placed.payment_id,
            order_id: placed.order_id,
            user_id: placed.user_id,
            amount: placed.total,
            status: Status::Pending,
            intent: None,
            failure_reason: None,
            provider_reference: None,
            payment_method: Some(placed.payment_method.clone()),
            created_at: now,
            updated_at: now,
        }
    }

    /// When the item may be deleted, in seconds since the Unix epoch; `None` while the
    /// payment has not ended.
    pub fn expires_at(&self) -> Option<i64> {
        match self.status {
            Status::Pending | Status::Authorized => None,
            Status::Declined | Status::Captured | Status::CaptureFailed | Status::Voided => {
                let end = self.updated_at.saturating_add(RETENTION).ok();
                end.map(Timestamp::as_second)
            }
        }
    }

    /// The pending payment once the provider has authorised it.
    #[must_use]
    pub fn authorized(&self, reference: ProviderReference, now: Timestamp) -> Self {
        Self {
            status: Status::Authorized,
            provider_reference: Some(reference),
            payment_method: None,
            updated_at: now,
            ..self.clone()
        }
    }

    /// The pending payment once the provider has declined it.
    #[must_use]
    pub fn declined(&self, reason: String, now: Timestamp) -> Self {
        Self {
            status: Status::Declined,
            failure_reason: Some(reason),
            payment_method: None,
            updated_at: now,
            ..self.clone()
        }
    }

    /// The record of an order that ended before the provider was asked, so that
    /// the late `order.placed` authorises nothing.
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
            payment_method: None,
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
