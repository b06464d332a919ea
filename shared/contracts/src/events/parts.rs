//! Types that several events share.

use kernel::{Money, ProductId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A quantity of one product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Quantity {
    /// The product.
    pub product_id: ProductId,
    /// How many pieces.
    pub quantity: u32,
}

/// One line of an order, as it was when the order was placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// The product.
    pub product_id: ProductId,
    /// Its name at that time.
    pub name: String,
    /// How many pieces.
    pub quantity: u32,
    /// The price of one piece at that time.
    pub unit_price: Money,
}

/// Why goods could not be sold to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectionReason {
    /// The reservation expired first.
    ReservationExpired,
    /// The reservation was released first.
    ReservationReleased,
    /// There is no reservation.
    ReservationMissing,
}

/// Why an order was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CancellationReason {
    /// The reservation of its goods expired before it was paid.
    ReservationExpired,
    /// Its goods were no longer reserved for another reason.
    StockUnavailable,
    /// The shop cancelled it by hand.
    CancelledByShop,
}

/// How a notification is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// E-mail.
    Email,
}

/// Which messages of the shop a person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preferences {
    /// E-mail.
    pub email: bool,
    /// Text messages.
    pub sms: bool,
    /// Push notifications.
    pub push: bool,
    /// Marketing, through the channels above.
    pub marketing: bool,
}
