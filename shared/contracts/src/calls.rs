//! Calls from one service to another's function (Lambda Invoke, under IAM).

use jiff::Timestamp;
use kernel::{OrderId, ProductId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

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
