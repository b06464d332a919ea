//! Calls from one service to another's function (Lambda Invoke, under IAM).
//!
//! Unknown members are ignored: while a deployment runs, a caller may be newer
//! than the function that it calls.

use jiff::Timestamp;
use kernel::{NotificationId, OrderId, PaymentId, ProductId, UserId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    OrderTotalError,
    events::{OrderLine, Quantity},
};

/// The request and the reply of a function that other services call.
pub trait Call: Serialize + DeserializeOwned + Send + 'static {
    /// The reply.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// The called service, as clients may see it.
    const SERVICE: &'static str;
}

/// Reserves goods for an order, all lines or none. The order's id is the
/// reservation's: repeating the call returns the same reservation, never a second.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReserveStock {
    /// The order.
    pub order_id: OrderId,
    /// The goods; each product once.
    pub lines: Vec<Quantity>,
    /// Whether the buyer has not proven the account's address. Such buyers
    /// together may hold only a share of the stock. Older callers do not send
    /// it, nor would they understand the refusal: their calls are not limited.
    #[serde(default)]
    pub unverified: bool,
    /// Whether the caller understands [`StockReservation::InvalidTotal`]. Older
    /// callers do not send it: they get the goods and refuse the order themselves.
    #[serde(default)]
    pub knows_invalid_total: bool,
    /// Whether the caller understands [`StockReservation::Contended`]. Older
    /// callers do not send it: to them the call fails.
    #[serde(default)]
    pub knows_contended: bool,
    /// The id of the chain of requests and events that this belongs to.
    pub correlation_id: String,
}

/// The outcome of [`ReserveStock`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    tag = "outcome",
    rename_all_fields = "camelCase"
)]
pub enum StockReservation {
    /// All lines are reserved.
    Held {
        /// The requested lines with their current names and prices.
        lines: Vec<OrderLine>,
        /// When the reservation expires.
        held_until: Timestamp,
    },
    /// Nothing is reserved.
    Refused {
        /// The lines that are short.
        shortages: Vec<Shortage>,
    },
    /// Nothing is reserved: the goods are available, but not to an unverified
    /// buyer. The reply to calls with `unverified` only.
    Limited {
        /// The lines that exceed the share, with what is left of it.
        excesses: Vec<Shortage>,
    },
    /// Nothing is reserved: the goods are available, but no order can have them
    /// together. The reply to calls with `knows_invalid_total` only.
    InvalidTotal {
        /// Why not.
        error: OrderTotalError,
    },
    /// Nothing is reserved: too many others are buying the same goods at this
    /// moment. The reply to calls with `knows_contended` only.
    Contended,
    /// An earlier reservation with this id has ended, or was for other goods.
    Gone,
}

/// A line that cannot be reserved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shortage {
    /// The product.
    pub product_id: ProductId,
    /// How many are available; `None` if there is no such product.
    pub available: Option<u32>,
}

impl Call for ReserveStock {
    type Reply = StockReservation;
    const SERVICE: &'static str = "catalog";
}

/// Exports a page of a user's orders, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportOrders {
    /// The user.
    pub user_id: UserId,
    /// The last order of the previous page.
    pub after: Option<OrderId>,
    /// The id of the chain of requests and events that this belongs to.
    pub correlation_id: String,
}

/// A page of a user's orders, each in the form that the user reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportedOrders {
    /// The orders.
    pub orders: Vec<Value>,
    /// Their payments, to be passed to [`ExportPayments`].
    pub payment_ids: Vec<PaymentId>,
    /// The last order on the page, if there are more.
    pub next: Option<OrderId>,
}

impl Call for ExportOrders {
    type Reply = ExportedOrders;
    const SERVICE: &'static str = "orders";
}

/// Exports those of some payments that belong to a user.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportPayments {
    /// The user.
    pub user_id: UserId,
    /// The payments; no more than a page of orders has.
    pub payment_ids: Vec<PaymentId>,
    /// The id of the chain of requests and events that this belongs to.
    pub correlation_id: String,
}

/// A user's payments, each in the form that the user reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportedPayments {
    /// The payments.
    pub payments: Vec<Value>,
}

impl Call for ExportPayments {
    type Reply = ExportedPayments;
    const SERVICE: &'static str = "payments";
}

/// Exports a page of what the notifications service stores about a user.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportNotifications {
    /// The user.
    pub user_id: UserId,
    /// The last notification of the previous page.
    pub after: Option<NotificationId>,
    /// The id of the chain of requests and events that this belongs to.
    pub correlation_id: String,
}

/// A page of a user's notifications, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportedNotifications {
    /// The user's contact data, if known.
    pub contact: Option<Value>,
    /// The notifications.
    pub notifications: Vec<Value>,
    /// The last notification on the page, if there are more.
    pub next: Option<NotificationId>,
}

impl Call for ExportNotifications {
    type Reply = ExportedNotifications;
    const SERVICE: &'static str = "notifications";
}
