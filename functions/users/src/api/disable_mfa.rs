//! Turns a second factor off.

use std::sync::Arc;

use contracts::{Envelope, events::UserMfaDisabled};
use kernel::input::{FromInput, FieldErrors, Value};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, SignedIn, State},
};

use super::{
    TRIES_MAX,
    errors::{mfa_not_enrolled, wrong_code},
};
use crate::{
    app::Mfa,
    domain::{Otp, SecondFactor, User},
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

/// The function `disable-mfa`.
pub fn function() -> Function {
    endpoint().start(Mfa::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<Mfa>> {
    Endpoint::new("disable-mfa", Access::SignedIn, GRANTS)
        .post("/api/auth/mfa/disable", disable_mfa)
}

/// A code of the app, or a recovery code.
#[derive(Debug)]
pub struct DisableMfa {
    code: Otp,
}

impl FromInput for DisableMfa {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let code = fields.required("code");
        fields.finish(|| Some(Self { code: code? }))
    }
}

/// Turns the second factor off for whoever shows it: a code that was not used,
/// or a recovery code. Other sessions end. Whoever has found a device unlocked has neither, and
/// gets no more guesses than at log-in.
///
/// # Errors
/// 422 for a wrong code, and for any while the address is locked; 409
/// `mfa_not_enrolled` when there is no second factor.
pub async fn disable_mfa(
    State(app): State<Arc<Mfa>>,
    person: SignedIn,
    RequestCause(cause): RequestCause,
    Json(input): Json<DisableMfa>,
) -> Result<Reply, ApiError> {
    for _ in 0..TRIES_MAX {
        let user = app.store.user(person.user_id).await?;
        let user = user.ok_or_else(|| ApiError::not_found("user"))?;
        let factor = app.store.second_factor(user.id).await?;
        let factor = factor.filter(SecondFactor::is_on);
        let factor = factor.ok_or_else(mfa_not_enrolled)?;
        let attempts = app.store.attempts(user.email.as_str()).await?;
        let now = app.clock.now();
        let shown = app.factors.shown(&factor, &input.code, now)?;
        let Some(shown) = shown.filter(|_| !attempts.is_locked(now)) else {
            app.store.count_failure(user.email.as_str(), now).await?;
            return Err(wrong_code());
        };
        let disabled = Envelope::new(&announcement(&user), now, &cause);
        let what = (&factor, &shown);
        let session = person.session_id;
        let outcome = app
            .store
            .remove_factor(&user, session, what, &disabled, now)
            .await;
        match outcome {
            Ok(()) => return Ok(Reply::done("logging in takes the password alone")),
            Err(RemoveFactorError::Changed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(RemoveFactorError::Changed.into())
}

/// What is said of an account that has no second factor any more.
pub(super) fn announcement(user: &User) -> UserMfaDisabled {
    UserMfaDisabled {
        user_id: user.id,
        email: user.email.as_str().to_owned(),
    }
}
