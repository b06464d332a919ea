//! `export-payments`: a user's payments, for the export of an account. Called
//! by `export-account`.

use std::sync::Arc;

use contracts::calls::{ExportPayments, ExportedPayments};
use dynamo::StoreError;
use runtime::{Function, Grant, call, grant};

use super::views::PaymentView;
use crate::App;

const GRANTS: &[Grant] = &[
    grant("dynamodb:BatchGetItem", "PaymentsTable"),
    grant("dynamodb:GetItem", "PaymentsTable"),
];

/// Payments in one call: those of a page of orders, and one BatchGetItem.
const PAYMENTS_MAX: usize = 100;

pub fn function() -> Function {
    call::service(
        "export-payments",
        GRANTS,
        App::start,
        |app, call| async move { Ok(export_payments(&app, call).await?) },
    )
}

#[derive(Debug, thiserror::Error)]
enum ExportPaymentsError {
    #[error("{0} payments were requested, more than the maximum of {PAYMENTS_MAX}")]
    TooMany(usize),
    #[error("read the payments")]
    Store(#[from] StoreError),
    #[error("serialise a payment")]
    Serialise(#[from] serde_json::Error),
}

/// Returns the requested payments that belong to the user, oldest first, as
/// `GET /api/payments/{id}` shows them.
async fn export_payments(
    app: &Arc<App>,
    call: ExportPayments,
) -> Result<ExportedPayments, ExportPaymentsError> {
    if call.payment_ids.len() > PAYMENTS_MAX {
        return Err(ExportPaymentsError::TooMany(call.payment_ids.len()));
    }
    let mut found = app.payments.find_many(call.payment_ids).await?;
    found.retain(|stored| stored.payment.user_id == call.user_id);
    found.sort_by_key(|stored| stored.payment.payment_id);
    let views = found
        .iter()
        .map(|stored| PaymentView::from(&stored.payment));
    let payments = views.map(serde_json::to_value).collect::<Result<_, _>>()?;
    Ok(ExportedPayments { payments })
}
