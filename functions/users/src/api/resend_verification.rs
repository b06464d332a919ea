//! Requests the e-mail that verifies an address again.

use std::sync::Arc;

use contracts::events::UserVerificationRequested;
use runtime::{
    Function, Grant, SealKey, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, State},
};

use super::support::{
    rate_limits::{VERIFICATION_MAILS, limit_by_ip},
    token_mail::{MailRequest, TokenMail},
};
use crate::{
    app::App,
    domain::{MailTokenRecord, TokenPurpose},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "MailSecret"),
];

pub fn function() -> Function {
    Endpoint::new("resend-verification", Access::Public, GRANTS)
        .post("/api/auth/resend-verification", resend_verification)
        .guard(limit_by_ip)
        .start(App::start)
}

/// Requests the e-mail if there is an active account with the address and its owner has
/// not verified the address. The reply and the time are the same if there is none.
///
/// # Errors
/// 429 for too many requests from one client; 422 when the address is missing.
async fn resend_verification(
    State(app): State<Arc<App<SealKey>>>,
    RequestCause(cause): RequestCause,
    Json(input): Json<MailRequest>,
) -> Result<Reply, ApiError> {
    let mail = TokenMail {
        purpose: TokenPurpose::Verification,
        limit: VERIFICATION_MAILS,
        is_eligible: |user, _| user.is_active() && !user.owner_proven(),
        record: MailTokenRecord::verify_current_email,
        requested: |user, sealed_token| UserVerificationRequested {
            user_id: user.id,
            email: user.email.as_str().to_owned(),
            sealed_token,
            replaces_current: None,
        },
    };
    mail.send(&app, &input, &cause).await
}
