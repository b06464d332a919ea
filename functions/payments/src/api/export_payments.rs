//! `export-payments`: what the service holds on a person. Called by
//! `export-account`.

use std::sync::Arc;

use contracts::calls::{ExportPayments, ExportedPayments};
use runtime::{Function, Grant, call, grant};

use super::get_payment::PaymentView;
use crate::App;

const GRANTS: &[Grant] = &[
    grant("dynamodb:BatchGetItem", "PaymentsTable"),
    grant("dynamodb:GetItem", "PaymentsTable"),
];

/// Payments that one call may ask for: a page of orders, and one BatchGetItem.
const PAYMENTS_MAX: usize = 100;

/// The function `export-payments`.
pub fn function() -> Function {
    call::service(
        "export-payments",
        GRANTS,
        App::start,
        |app, call| async move { Ok(export_payments(&app, call).await?) },
    )
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExportPaymentsError {
    /// The call is not one that a page of orders makes.
    #[error("{0} payments were asked for; {PAYMENTS_MAX} at most")]
    TooMany(usize),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] dynamo::StoreError),
    /// A payment cannot be shown.
    #[error("show a payment")]
    View(#[from] serde_json::Error),
}

/// Those of the payments that are the person's, as `GET /api/payments/{id}`
/// shows them, oldest first.
///
/// # Errors
/// [`ExportPaymentsError`].
pub async fn export_payments(
    app: &Arc<App>,
    call: ExportPayments,
) -> Result<ExportedPayments, ExportPaymentsError> {
    if call.payment_ids.len() > PAYMENTS_MAX {
        return Err(ExportPaymentsError::TooMany(call.payment_ids.len()));
    }
    let mut found = app.payments.find_many(call.payment_ids).await?;
    found.retain(|stored| stored.payment.user_id == call.user_id);
    found.sort_by_key(|stored| stored.payment.payment_id);
    let views = found.iter().map(|stored| PaymentView::of(&stored.payment));
    let payments = views.map(serde_json::to_value).collect::<Result<_, _>>()?;
    Ok(ExportedPayments { payments })
}
