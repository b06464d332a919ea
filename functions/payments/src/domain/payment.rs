//! A payment.

use kernel::{Money, OrderId, PaymentId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The provider promises the money.
    Authorized,
    /// It does not.
    Declined,
    /// The money is taken.
    Captured,
    /// It was promised, but could not be taken.
    CaptureFailed,
    /// Nothing is promised any more, or never was: the order is over.
    Voided,
}

/// What has been begun with an authorised payment. It is written before the
/// provider is asked, and never changed: so of taking the money and giving the
/// promise back, only one is ever asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// To take the money.
    Capture,
    /// To give the promise back.
    Void,
}

/// The provider's own id of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProviderReference(pub String);

/// A payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Payment {
    /// Which; orders makes the id.
    pub payment_id: PaymentId,
    /// For which order.
    pub order_id: OrderId,
    /// Whose.
    pub user_id: UserId,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub status: Status,
    /// What has been begun with it, when it is authorised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// Why it was declined or could not be captured, in the provider's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// The provider's id of the promise; none when there never was one that
    /// this record knows of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_reference: Option<ProviderReference>,
    /// Since when there is this record.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
}
