//! Requests the e-mail with which to set a new password.

use std::sync::Arc;

use contracts::events::UserPasswordResetRequested;
use runtime::{
    Function, Grant, SealKey, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, State},
};

use super::support::{
    rate_limits::{RESET_MAILS, limit_by_ip},
    token_mail::{MailRequest, TokenMail},
};
use crate::{
    app::App,
    domain::{MailTokenRecord, TokenPurpose, User},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "MailSecret"),
];

pub fn function() -> Function {
    Endpoint::new("request-password-reset", Access::Public, GRANTS)
        .post("/api/auth/forgot-password", request_password_reset)
        .guard(limit_by_ip)
        .start(App::start)
}

/// Requests the e-mail if there is an account with the address that its owner may log
/// in to, also a closed one that can be reopened. The reply and the time are the same
/// if there is none.
///
/// # Errors
/// 429 for too many requests from one client; 422 when the address is missing.
async fn request_password_reset(
    State(app): State<Arc<App<SealKey>>>,
    RequestCause(cause): RequestCause,
    Json(input): Json<MailRequest>,
) -> Result<Reply, ApiError> {
    let mail = TokenMail {
        purpose: TokenPurpose::Reset,
        limit: RESET_MAILS,
        is_eligible: User::may_sign_in,
        record: MailTokenRecord::reset_password,
        requested: |user, sealed_token| UserPasswordResetRequested {
            user_id: user.id,
            email: user.email.as_str().to_owned(),
            sealed_token,
        },
    };
    mail.send(&app, &input, &cause).await
}
