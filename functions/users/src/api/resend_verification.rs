//! Sends the mail that verifies an address again.

use std::sync::Arc;

use contracts::events::UserVerificationRequested;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, State},
};

use super::{
    limits::WithinLimits,
    mail_request::{MailRequest, TokenMail},
};
use crate::{app::Mails, domain::Proof, store::Purpose};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "MailSecret"),
];

/// The function `resend-verification`.
pub fn function() -> Function {
    endpoint().start(Mails::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<Mails>> {
    Endpoint::new("resend-verification", Access::Public, GRANTS)
        .post("/api/auth/resend-verification", resend_verification)
}

/// Sends the mail again, when there is an active account with the address and
/// the address is not verified. The reply, and the work, are the same when
/// there is nothing to send.
///
/// # Errors
/// 429 when too many requests came from the same address;
/// 422 when there is no address.
pub async fn resend_verification(
    State(app): State<Arc<Mails>>,
    _: WithinLimits,
    RequestCause(cause): RequestCause,
    Json(input): Json<MailRequest>,
) -> Result<Reply, ApiError> {
    let mail = TokenMail {
        purpose: Purpose::Verification,
        is_wanted_by: |user, _| user.is_active() && !user.email_verified,
        proof: Proof::of_address,
        requested: |user, sealed_token| UserVerificationRequested {
            user_id: user.id,
            email: user.email.as_str().to_owned(),
            sealed_token,
        },
    };
    mail.send(&app, &input, &cause).await
}
