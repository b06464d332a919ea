//! Sets a new password with the token of an e-mail.

use std::sync::Arc;

use contracts::Envelope;
use dynamo::Attempts;
use kernel::input::{FieldErrors, FromInput, Value};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, State},
};

use super::support::{
    errors::invalid_mail_token, events::password_changed, rate_limits::limit_by_ip,
    token_mail::token_field,
};
use crate::{
    app::App,
    credentials::{passwords, tokens::MailToken},
    domain::{Password, TokenPurpose, User},
    store::UseTokenError,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
];

pub fn function() -> Function {
    Endpoint::new("reset-password", Access::Public, GRANTS)
        .post("/api/auth/reset-password", reset_password)
        .guard(limit_by_ip)
        .start(App::start_with_password_rules)
}

#[derive(Debug)]
struct ResetPassword {
    token: Option<MailToken>,
    password: Password,
}

impl FromInput for ResetPassword {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let token = token_field(&mut fields);
        let password = fields.required("password");
        fields.finish(|| {
            Some(Self {
                token: token?,
                password: password?,
            })
        })
    }
}

/// Sets a new password, ends every session and clears the failures to log in. A token
/// works once, but stays valid when the password is refused. Nothing is hashed for an
/// invalid token.
///
/// # Errors
/// 429 for too many requests from one address; 422 `invalid_token` for a token that is
/// unknown, used, expired, or older than a change of the account; 422 for an
/// unacceptable password.
async fn reset_password(
    State(app): State<Arc<App>>,
    RequestCause(cause): RequestCause,
    Json(input): Json<ResetPassword>,
) -> Result<Reply, ApiError> {
    let token = input.token.ok_or_else(invalid_mail_token)?.hash();
    let mut password_hash = None;
    let mut attempts = Attempts::new(app.host.random());
    while attempts.next().await {
        let now = app.host.now();
        let record = app.store.mail_token(TokenPurpose::Reset, &token).await?;
        let record = record.filter(|record| record.is_usable(now));
        let record = record.ok_or_else(invalid_mail_token)?;
        let user = app.store.user(record.user_id).await?;
        let user = user.filter(|user| user.may_reset_password(&record, now));
        let user = user.ok_or_else(invalid_mail_token)?;
        let hash = match password_hash.take() {
            Some(hash) => hash,
            None => {
                let password = input.password.clone();
                let password = password.require_strong_at("/password", &user.known_words())?;
                passwords::hash(password, app.host.random()).await?
            }
        };
        // The e-mail arrived, so the address is verified as well.
        let changed = User {
            email_verified: true,
            ..user.with_password(hash.clone())
        };
        let event = Envelope::new(&password_changed(&user), app.host.stamp(now, &cause));
        match app
            .store
            .reset_password(&token, &changed, &event, now)
            .await
        {
            Ok(()) => return Ok(Reply::done("the password is changed")),
            Err(UseTokenError::Conflict) => password_hash = Some(hash),
            Err(error) => return Err(error.into()),
        }
    }
    Err(UseTokenError::Conflict.into())
}
