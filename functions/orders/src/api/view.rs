//! An order as a client sees it.

use contracts::events::OrderLine;
use kernel::{Currency, Decimal, MoneyError, OrderId, PaymentId, ProductId, Timestamp};
use serde::Serialize;

use crate::{
    domain::{Address, Status, line_total},
    store::StoredOrder,
};

/// An order in a reply.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderView<'a> {
    id: OrderId,
    status: Status,
    /// Why it was cancelled, or why the payment failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_reason: Option<&'a str>,
    items: Vec<LineView<'a>>,
    total_amount: Decimal,
    currency: Currency,
    shipping_address: &'a Address,
    payment_id: PaymentId,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LineView<'a> {
    product_id: ProductId,
    name: &'a str,
    quantity: u32,
    unit_price: Decimal,
    total_price: Decimal,
}

impl<'a> OrderView<'a> {
    /// # Errors
    /// Never for an order that was placed: its lines added up then.
    pub(super) fn of(stored: &'a StoredOrder) -> Result<Self, MoneyError> {
        let order = &stored.order;
        Ok(Self {
            id: order.order_id,
            status: order.status,
            status_reason: order.status_reason.as_deref(),
            items: order.lines.iter().map(line).collect::<Result<_, _>>()?,
            total_amount: order.total.amount(),
            currency: order.total.currency(),
            shipping_address: &stored.shipping_address,
            payment_id: order.payment_id,
            created_at: order.placed_at,
            updated_at: order.updated_at,
        })
    }
}

fn line(line: &OrderLine) -> Result<LineView<'_>, MoneyError> {
    Ok(LineView {
        product_id: line.product_id,
        name: &line.name,
        quantity: line.quantity,
        unit_price: line.unit_price.amount(),
        total_price: line_total(line)?.amount(),
    })
}
