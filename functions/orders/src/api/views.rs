//! Orders and their history, as clients see them.

use contracts::events::OrderLine;
use kernel::{Address, Currency, Decimal, MoneyError, OrderId, PaymentId, ProductId, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::{
    domain::Status,
    store::{HistoryEntry, StoredOrder},
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderView<'a> {
    id: OrderId,
    status: Status,
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

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HistoryEntryView {
    #[serde(rename = "type")]
    event_type: String,
    at: Timestamp,
    data: Value,
    correlation_id: String,
    causation_id: String,
    actor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_correlation_id: Option<String>,
    version: u32,
}

impl<'a> TryFrom<&'a StoredOrder> for OrderView<'a> {
    /// Never occurs: the line totals were computed when the order was placed.
    type Error = MoneyError;

    fn try_from(stored: &'a StoredOrder) -> Result<Self, MoneyError> {
        let order = &stored.order;
        let items = order.lines.iter().map(LineView::try_from);
        Ok(Self {
            id: order.order_id,
            status: order.status,
            status_reason: order.status_reason.as_deref(),
            items: items.collect::<Result<_, _>>()?,
            total_amount: order.total.amount(),
            currency: order.total.currency(),
            shipping_address: &stored.shipping_address,
            payment_id: order.payment_id,
            created_at: order.placed_at,
            updated_at: order.updated_at,
        })
    }
}

impl<'a> TryFrom<&'a OrderLine> for LineView<'a> {
    type Error = MoneyError;

    fn try_from(line: &'a OrderLine) -> Result<Self, MoneyError> {
        Ok(Self {
            product_id: line.product_id,
            name: &line.name,
            quantity: line.quantity,
            unit_price: line.unit_price.amount(),
            total_price: line.total()?.amount(),
        })
    }
}

impl From<HistoryEntry> for HistoryEntryView {
    fn from(HistoryEntry { version, event }: HistoryEntry) -> Self {
        Self {
            event_type: event.event_type,
            at: event.time,
            data: event.data,
            correlation_id: event.correlationid,
            causation_id: event.causationid,
            actor: event.actor,
            client_request_id: event.clientrequestid,
            client_correlation_id: event.clientcorrelationid,
            version,
        }
    }
}
