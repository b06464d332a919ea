//! Calls from one service to another's function (Lambda Invoke, under IAM).

use jiff::Timestamp;
use kernel::{NotificationId, OrderId, PaymentId, ProductId, UserId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::events::{OrderLine, Quantity};

/// What a function that is called takes and gives.
pub trait Call: Serialize + DeserializeOwned + Send + 'static {
    /// What it answers.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// The service that answers, as a client may see it.
    const SERVICE: &'static str;
}

/// Holds goods for an order, all lines or none. The order's id is the
/// reservation's: asking again gives the same hold, never a second one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReserveStock {
    /// For which order.
    pub order_id: OrderId,
    /// What; each product once.
    pub lines: Vec<Quantity>,
    /// The chain this belongs to.
    pub correlation_id: String,
}

/// What became of [`ReserveStock`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    tag = "outcome",
    rename_all_fields = "camelCase"
)]
pub enum StockReservation {
    /// All lines are held.
    Held {
        /// The lines as they were asked for, with names and prices of now.
        lines: Vec<OrderLine>,
        /// Until when.
        held_until: Timestamp,
    },
    /// Nothing is held.
    Refused {
        /// The lines that are the reason.
        shortages: Vec<Shortage>,
    },
    /// An earlier hold under this id is over, or was for other goods.
    Gone,
}

/// A line that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shortage {
    /// Which product.
    pub product_id: ProductId,
    /// How many can be ordered; `None` when there is no such product.
    pub available: Option<u32>,
}

impl Call for ReserveStock {
    type Reply = StockReservation;
    const SERVICE: &'static str = "catalog";
}

/// Asks for a page of what the orders service holds on a person, oldest last.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportOrders {
    /// On whom.
    pub user_id: UserId,
    /// The last order of the page before.
    pub after: Option<OrderId>,
    /// The chain this belongs to.
    pub correlation_id: String,
}

/// A page of somebody's orders, each as a person reads it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportedOrders {
    /// The orders.
    pub orders: Vec<Value>,
    /// Their payments: who asks the payments service has to name them.
    pub payment_ids: Vec<PaymentId>,
    /// The last order on the page, when there are more.
    pub next: Option<OrderId>,
}

impl Call for ExportOrders {
    type Reply = ExportedOrders;
    const SERVICE: &'static str = "orders";
}

/// Asks for those of some payments that are a person's.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportPayments {
    /// Whose.
    pub user_id: UserId,
    /// Which; no more than a page of orders has.
    pub payment_ids: Vec<PaymentId>,
    /// The chain this belongs to.
    pub correlation_id: String,
}

/// Somebody's payments, each as a person reads it.
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

/// Asks for a page of what the notifications service holds on a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportNotifications {
    /// On whom.
    pub user_id: UserId,
    /// The last notification of the page before.
    pub after: Option<NotificationId>,
    /// The chain this belongs to.
    pub correlation_id: String,
}

/// A page of what somebody was told, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportedNotifications {
    /// How the person is reached, as far as that is known.
    pub contact: Option<Value>,
    /// What the person was told.
    pub notifications: Vec<Value>,
    /// The last one on the page, when there are more.
    pub next: Option<NotificationId>,
}

impl Call for ExportNotifications {
    type Reply = ExportedNotifications;
    const SERVICE: &'static str = "notifications";
}
