//! `GET /api/payments/{id}`: one of the caller's payments.

use std::sync::Arc;

use kernel::PaymentId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, Reply, SignedIn, State},
};

use super::views::PaymentView;
use crate::App;

const GRANTS: &[Grant] = &[grant("dynamodb:GetItem", "PaymentsTable")];

pub fn function() -> Function {
    Endpoint::new("get-payment", Access::SignedIn, GRANTS)
        .get("/api/payments/{id}", get_payment)
        .start(App::start)
}

/// Answers 404 also for another user's payment.
async fn get_payment(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    Id(id): Id<PaymentId>,
) -> Result<Reply, ApiError> {
    let found = app.payments.find(id).await?;
    let own = found.filter(|stored| stored.payment.user_id == caller.user_id);
    let stored = own.ok_or_else(|| ApiError::not_found("payment"))?;
    Ok(Reply::ok("payment", &PaymentView::from(&stored.payment)))
}
