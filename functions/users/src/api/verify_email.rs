//! Verifies an address with the token of the e-mail that was sent to it.

use std::sync::Arc;

use contracts::{
    Envelope,
    events::{UserEmailChanged, UserEmailVerified},
};
use dynamo::Attempts;
use kernel::{
    Cause, Timestamp,
    input::{FieldErrors, FromInput, Value},
};
use runtime::{
    Function, Grant, Host, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, State},
};

use super::support::{
    errors::invalid_mail_token, events::user_updated, rate_limits::limit_by_ip,
    token_mail::token_field,
};
use crate::{
    app::App,
    credentials::tokens::MailToken,
    domain::{Email, TokenPurpose, User, Verification},
    store::UseTokenError,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
];

pub fn function() -> Function {
    Endpoint::new("verify-email", Access::Public, GRANTS)
        .post("/api/auth/verify-email", verify_email)
        .guard(limit_by_ip)
        .start(App::start)
}

#[derive(Debug)]
struct VerifyEmail {
    token: Option<MailToken>,
}

impl FromInput for VerifyEmail {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let token = token_field(&mut fields);
        fields.finish(|| Some(Self { token: token? }))
    }
}

/// Verifies the address of an account, or replaces it by the address that the e-mail
/// was sent to, and announces that in the same transaction. A token works once.
///
/// # Errors
/// 429 for too many requests from one address; 422 `invalid_token` for a token that is
/// unknown, used, expired, or older than a change of the account; 409 `email_taken`
/// when another account has the new address by now.
async fn verify_email(
    State(app): State<Arc<App>>,
    RequestCause(cause): RequestCause,
    Json(input): Json<VerifyEmail>,
) -> Result<Reply, ApiError> {
    let purpose = TokenPurpose::Verification;
    let hash = input.token.ok_or_else(invalid_mail_token)?.hash();
    let mut attempts = Attempts::new(app.host.random());
    while attempts.next().await {
        let now = app.host.now();
        let record = app.store.mail_token(purpose, &hash).await?;
        let record = record.filter(|record| record.is_usable(now));
        let record = record.ok_or_else(invalid_mail_token)?;
        let user = app.store.user(record.user_id).await?;
        let verification = user.and_then(|user| user.verify_email(&record));
        let outcome = match verification.ok_or_else(invalid_mail_token)? {
            Verification::AlreadyVerified => app.store.use_mail_token(purpose, &hash, now).await,
            Verification::Verified(user) => {
                let events = [verified(&user, &app.host, now, &cause)];
                app.store
                    .verify_email(&hash, &record, &user, &events, now)
                    .await
            }
            Verification::EmailChanged { user, previous } => {
                let events = changed(&user, &previous, &app.host, now, &cause);
                app.store
                    .verify_email(&hash, &record, &user, &events, now)
                    .await
            }
        };
        match outcome {
            Ok(()) => return Ok(Reply::done("the address is verified")),
            Err(UseTokenError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(UseTokenError::Conflict.into())
}

fn verified(user: &User, host: &Host, now: Timestamp, cause: &Cause) -> Envelope {
    let verified = UserEmailVerified {
        user_id: user.id,
        email: user.email.as_str().to_owned(),
    };
    Envelope::new(&verified, host.stamp(now, cause))
}

/// The last event sends an e-mail to the previous address.
fn changed(
    user: &User,
    previous: &Email,
    host: &Host,
    now: Timestamp,
    cause: &Cause,
) -> [Envelope; 3] {
    let email_changed = UserEmailChanged {
        user_id: user.id,
        previous_email: previous.as_str().to_owned(),
    };
    [
        Envelope::new(&user_updated(user), host.stamp(now, cause)),
        verified(user, host, now, cause),
        Envelope::new(&email_changed, host.stamp(now, cause)),
    ]
}
