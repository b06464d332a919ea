//! Sets a new password for whoever has the token from a mail.

use std::sync::Arc;

use contracts::{Envelope, events::UserPasswordChanged};
use kernel::input::{FromInput, FieldErrors, Value};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, State},
};

use super::{
    TRIES_MAX, errors::invalid_mail_token, limits::WithinLimits, mail_request::mail_token,
};
use crate::{
    app::App,
    domain::{Password, User},
    passwords,
    store::{Purpose, UseProofError},
    tokens::MailToken,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
];

/// The function `reset-password`.
pub fn function() -> Function {
    endpoint().start(App::start_judging_passwords)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<App>> {
    Endpoint::new("reset-password", Access::Public, GRANTS)
        .post("/api/auth/reset-password", reset_password)
}

/// A token with the password that it is to set.
#[derive(Debug)]
pub struct ResetPassword {
    token: Option<MailToken>,
    password: Password,
}

impl FromInput for ResetPassword {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let token = mail_token(&mut fields);
        let password = fields.required("password");
        fields.finish(|| {
            Some(Self {
                token: token?,
                password: password?,
            })
        })
    }
}

/// Sets a new password, ends every session, and forgets what was counted of
/// wrong passwords. A token works once; a password that is refused leaves it
/// good. Nothing is hashed for a token that is not.
///
/// # Errors
/// 429 when too many requests came from the same address;
/// 422 `invalid_token` for a token that is unknown, used, too old, or about an
/// account as it is no more; 422 for a password that is not acceptable.
pub async fn reset_password(
    State(app): State<Arc<App>>,
    _: WithinLimits,
    RequestCause(cause): RequestCause,
    Json(input): Json<ResetPassword>,
) -> Result<Reply, ApiError> {
    let token = input.token.ok_or_else(invalid_mail_token)?.hash();
    let mut password_hash = None;
    for _ in 0..TRIES_MAX {
        let now = app.clock.now();
        let proof = app.store.proof(Purpose::Reset, &token).await?;
        let proof = proof.filter(|proof| proof.is_usable(now));
        let proof = proof.ok_or_else(invalid_mail_token)?;
        let user = app.store.user(proof.user_id).await?;
        let user = user.filter(|user| user.may_reset(&proof, now));
        let user = user.ok_or_else(invalid_mail_token)?;
        let hash = match password_hash.take() {
            Some(hash) => hash,
            None => {
                let password = input.password.clone();
                let password = password.strong_at("/password", &user.known_words())?;
                passwords::hash(password).await?
            }
        };
        // The mail arrived, so the address is the person's.
        let changed = User {
            email_verified: true,
            ..user.with_password(hash.clone())
        };
        let announced = UserPasswordChanged {
            user_id: user.id,
            email: user.email.as_str().to_owned(),
        };
        let announced = Envelope::new(&announced, now, &cause);
        match app
            .store
            .reset_password(&token, &changed, &announced, now)
            .await
        {
            Ok(()) => return Ok(Reply::done("the password is changed")),
            Err(UseProofError::Conflict) => password_hash = Some(hash),
            Err(error) => return Err(error.into()),
        }
    }
    Err(UseProofError::Conflict.into())
}
