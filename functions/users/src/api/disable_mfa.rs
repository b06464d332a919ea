//! Disables the caller's second factor.

use std::sync::Arc;

use contracts::Envelope;
use dynamo::Attempts;
use kernel::input::{FieldErrors, FromInput, Value};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, SignedIn, State},
};

use super::support::{
    accounts::find_user,
    errors::{mfa_not_enrolled, wrong_code},
    events::mfa_disabled,
    rate_limits::{self, FACTOR_CHANGES, TOO_MANY_FACTOR_CHANGES},
};
use crate::{
    app::App,
    credentials::second_factors::SecondFactors,
    domain::{Guess, Otp, SecondFactor, Source},
    store::RemoveFactorError,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:ConditionCheckItem", "UsersTable"),
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "MfaSecret"),
];

pub fn function() -> Function {
    Endpoint::new("disable-mfa", Access::SignedIn, GRANTS)
        .post("/api/auth/mfa/disable", disable_mfa)
        .start(App::start)
}

#[derive(Debug)]
struct DisableMfa {
    code: Otp,
}

impl FromInput for DisableMfa {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let code = fields.required("code");
        fields.finish(|| Some(Self { code: code? }))
    }
}

/// Disables the second factor with an unused code or recovery code, and ends the other
/// sessions. Somebody who has found an unlocked device has neither, and gets no more
/// guesses than at login.
///
/// # Errors
/// 422 for a wrong code, and for any while the session is locked; 429 for the
/// eleventh change in an hour; 409
/// `mfa_not_enrolled` when no second factor is enabled.
async fn disable_mfa(
    State(app): State<Arc<App<SecondFactors>>>,
    caller: SignedIn,
    RequestCause(cause): RequestCause,
    Json(input): Json<DisableMfa>,
) -> Result<Reply, ApiError> {
    let mut counted = None;
    let mut attempts = Attempts::new(app.host.random());
    while attempts.next().await {
        let user = find_user(&app.store, caller.user_id).await?;
        let factor = app.store.second_factor(user.id).await?;
        let factor = factor.filter(SecondFactor::is_confirmed);
        let factor = factor.ok_or_else(mfa_not_enrolled)?;
        let source = &Source::Session(caller.session_id);
        let email = user.email.as_str();
        let guess = Guess { email, source };
        let failures = app.store.login_failures(guess).await?;
        let now = app.host.now();
        let verified = app.credentials.verify(&factor, &input.code, now)?;
        let Some(verified) = verified.filter(|_| !failures.is_locked(now)) else {
            app.store.record_failure(guess, now).await?;
            return Err(wrong_code());
        };
        let headers = match counted.take() {
            Some(headers) => headers,
            None => {
                let key = user.id.to_string();
                let detail = TOO_MANY_FACTOR_CHANGES;
                rate_limits::enforce(&app.store, &FACTOR_CHANGES, &key, now, detail).await?
            }
        };
        let disabled = Envelope::new(&mfa_disabled(&user), app.host.stamp(now, &cause));
        let used = (&factor, &verified);
        let outcome = app
            .store
            .remove_factor(&user, caller.session_id, used, &disabled, now)
            .await;
        match outcome {
            Ok(()) => {
                let reply = Reply::done("logging in requires only the password");
                return Ok(reply.with_headers(headers));
            }
            Err(RemoveFactorError::Changed) => counted = Some(headers),
            Err(error) => return Err(ApiError::from(error).with_headers(headers)),
        }
    }
    Err(RemoveFactorError::Changed.into())
}
