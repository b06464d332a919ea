//! Cancels an order by the decision and the write of the orders service.

use std::fmt;

use kernel::OrderId;
use orders::cancel_order;
use runtime::Error;
use serde::Serialize;

use crate::Shop;

/// An order that was cancelled.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancelled {
    pub order_id: OrderId,
    pub version: u32,
}

/// Cancels an order whose goods are not sold yet.
///
/// # Errors
/// When it may not be cancelled, with the reason.
pub async fn cancel(shop: &Shop, id: OrderId) -> Result<Cancelled, Error> {
    let order = cancel_order(&shop.orders, &shop.host, id).await;
    let order = order.map_err(|error| format!("order {id} is not cancelled: {error}"))?;
    Ok(Cancelled {
        order_id: id,
        version: order.version,
    })
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "order {} is cancelled (version {}): its goods are released, what is authorised is \
             voided,\nand the customer gets an email. See in a minute:\n  emporium order show {}",
            self.order_id, self.version, self.order_id
        )
    }
}
