//! Takes the token from a mail as proof of the address that it went to.

use std::sync::Arc;

use contracts::{
    Envelope, EventData,
    events::{UserEmailChanged, UserEmailVerified},
};
use kernel::{
    Cause, Timestamp,
    input::{FromInput, FieldErrors, Value},
};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, State},
};

use super::{
    TRIES_MAX, errors::invalid_mail_token, limits::WithinLimits, mail_request::mail_token,
    update_user::announcement,
};
use crate::{
    app::App,
    domain::{Email, User, Verified},
    store::{Purpose, UseProofError},
    tokens::MailToken,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
];

/// The function `verify-email`.
pub fn function() -> Function {
    endpoint().start(App::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<App>> {
    Endpoint::new("verify-email", Access::Public, GRANTS)
        .post("/api/auth/verify-email", verify_email)
}

/// The token, if it is a text; what it is worth is for the handler to say.
#[derive(Debug)]
pub struct VerifyEmail {
    token: Option<MailToken>,
}

impl FromInput for VerifyEmail {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let token = mail_token(&mut fields);
        fields.finish(|| Some(Self { token: token? }))
    }
}

/// Verifies the address of an account, or gives the account the address that
/// the mail went to, and announces it in the same write. A token works once.
///
/// # Errors
/// 429 when too many requests came from the same address;
/// 422 `invalid_token` for a token that is unknown, used, too old, or about an
/// account as it is no more; 409 `email_taken` when somebody else has the new
/// address by now.
pub async fn verify_email(
    State(app): State<Arc<App>>,
    _: WithinLimits,
    RequestCause(cause): RequestCause,
    Json(input): Json<VerifyEmail>,
) -> Result<Reply, ApiError> {
    let hash = input.token.ok_or_else(invalid_mail_token)?.hash();
    for _ in 0..TRIES_MAX {
        let now = app.clock.now();
        let proof = app.store.proof(Purpose::Verification, &hash).await?;
        let proof = proof.filter(|proof| proof.is_usable(now));
        let proof = proof.ok_or_else(invalid_mail_token)?;
        let user = app.store.user(proof.user_id).await?;
        let verified = user.and_then(|user| user.verified(&proof));
        let outcome = match verified.ok_or_else(invalid_mail_token)? {
            Verified::Already => app.store.spend(Purpose::Verification, &hash, now).await,
            Verified::Address(user) => {
                let events = [event(&email_verified(&user), now, &cause)];
                app.store
                    .verify_email(&hash, &proof, &user, &events, now)
                    .await
            }
            Verified::NewAddress { user, previous } => {
                let events = [
                    event(&announcement(&user), now, &cause),
                    event(&email_verified(&user), now, &cause),
                    event(&email_changed(&user, &previous), now, &cause),
                ];
                app.store
                    .verify_email(&hash, &proof, &user, &events, now)
                    .await
            }
        };
        match outcome {
            Ok(()) => return Ok(Reply::done("the address is verified")),
            Err(UseProofError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(UseProofError::Conflict.into())
}

fn email_verified(user: &User) -> UserEmailVerified {
    UserEmailVerified {
        user_id: user.id,
        email: user.email.as_str().to_owned(),
    }
}

/// Whoever reads the mails of the address before is to know.
fn email_changed(user: &User, previous: &Email) -> UserEmailChanged {
    UserEmailChanged {
        user_id: user.id,
        previous_email: previous.as_str().to_owned(),
    }
}

fn event<T: EventData>(data: &T, now: Timestamp, cause: &Cause) -> Envelope {
    Envelope::new(data, now, cause)
}
