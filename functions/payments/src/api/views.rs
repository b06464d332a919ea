//! Payments as clients see them.

use kernel::{Currency, Decimal, OrderId, PaymentId, Timestamp};
use serde::Serialize;

use crate::domain::{Payment, Status};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentView<'a> {
    id: PaymentId,
    order_id: OrderId,
    status: Status,
    /// Why it was declined or could not be captured.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'a str>,
    amount: Decimal,
    currency: Currency,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'a> From<&'a Payment> for PaymentView<'a> {
    fn from(payment: &'a Payment) -> Self {
        Self {
            id: payment.payment_id,
            order_id: payment.order_id,
            status: payment.status,
            failure_reason: payment.failure_reason.as_deref(),
            amount: payment.amount.amount(),
            currency: payment.amount.currency(),
            created_at: payment.created_at,
            updated_at: payment.updated_at,
        }
    }
}
