//! `GET /api/payments/{id}`: one of the caller's payments.

use std::sync::Arc;

use kernel::{Currency, Decimal, OrderId, PaymentId, Timestamp};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, Reply, SignedIn, State},
};
use serde::Serialize;

use crate::{
    App,
    domain::{Payment, Status},
};

const GRANTS: &[Grant] = &[grant("dynamodb:GetItem", "PaymentsTable")];

/// The function `get-payment`.
pub fn function() -> Function {
    Endpoint::new("get-payment", Access::SignedIn, GRANTS)
        .get("/api/payments/{id}", get_payment)
        .start(App::start)
}

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

impl<'a> PaymentView<'a> {
    pub(super) fn of(payment: &'a Payment) -> Self {
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

/// Gives the payment; another person's is not there.
pub async fn get_payment(
    State(app): State<Arc<App>>,
    person: SignedIn,
    Id(id): Id<PaymentId>,
) -> Result<Reply, ApiError> {
    let found = app.payments.find(id).await?;
    let own = found.filter(|stored| stored.payment.user_id == person.user_id);
    let stored = own.ok_or_else(|| ApiError::not_found("payment"))?;
    Ok(Reply::ok("payment", &PaymentView::of(&stored.payment)))
}
