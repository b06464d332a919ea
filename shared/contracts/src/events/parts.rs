//! What the data of several events is made of.

use kernel::{Money, ProductId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Goods of one product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Quantity {
    /// Which.
    pub product_id: ProductId,
    /// How many.
    pub quantity: u32,
}

/// One line of an order, as it was when the order was placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// Which product.
    pub product_id: ProductId,
    /// Its name at that time.
    pub name: String,
    /// How many.
    pub quantity: u32,
    /// The price of one at that time.
    pub unit_price: Money,
}

/// Why goods could not be sold to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectionReason {
    /// The hold ran out first.
    ReservationExpired,
    /// The order gave the goods back first.
    ReservationReleased,
    /// There never was a hold.
    ReservationMissing,
}

/// Why an order was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CancellationReason {
    /// The hold on its goods ran out before it was paid.
    ReservationExpired,
    /// Its goods were not held any more, for another reason.
    StockUnavailable,
}

/// How a message reaches a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// E-mail.
    Email,
}

/// Through what a person wants to hear from the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preferences {
    /// E-mail.
    pub email: bool,
    /// Text messages.
    pub sms: bool,
    /// Messages on a device.
    pub push: bool,
    /// Advertisements, through whichever of these.
    pub marketing: bool,
}
