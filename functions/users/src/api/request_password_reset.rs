//! Mails a link with which to set a new password.

use std::sync::Arc;

use contracts::events::UserPasswordResetRequested;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, State},
};

use super::{
    limits::WithinLimits,
    mail_request::{MailRequest, TokenMail},
};
use crate::{
    app::Mails,
    domain::{Proof, User},
    store::Purpose,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "MailSecret"),
];

/// The function `request-password-reset`.
pub fn function() -> Function {
    endpoint().start(Mails::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<Mails>> {
    Endpoint::new("request-password-reset", Access::Public, GRANTS)
        .post("/api/auth/forgot-password", request_password_reset)
}

/// Sends the mail, when there is an account with the address that somebody may
/// sign in to, also one that its owner closed and may come back to. The reply, and the work, are the same when there is none.
///
/// # Errors
/// 429 when too many requests came from the same address;
/// 422 when there is no address.
pub async fn request_password_reset(
    State(app): State<Arc<Mails>>,
    _: WithinLimits,
    RequestCause(cause): RequestCause,
    Json(input): Json<MailRequest>,
) -> Result<Reply, ApiError> {
    let mail = TokenMail {
        purpose: Purpose::Reset,
        is_wanted_by: User::may_sign_in,
        proof: Proof::for_reset,
        requested: |user, sealed_token| UserPasswordResetRequested {
            user_id: user.id,
            email: user.email.as_str().to_owned(),
            sealed_token,
        },
    };
    mail.send(&app, &input, &cause).await
}
