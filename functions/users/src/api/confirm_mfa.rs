//! Turns a second factor on.

use std::sync::Arc;

use contracts::{Envelope, events::UserMfaEnabled};
use kernel::input::{FromInput, FieldErrors, Value};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, SignedIn, State},
};
use serde::Serialize;

use super::errors::{mfa_not_enrolled, wrong_code};
use crate::{
    app::Mfa,
    domain::{Otp, Shown},
    factors::RecoveryCode,
    store::{Confirmation, EnrolFactorError},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "MfaSecret"),
];

/// The function `confirm-mfa`.
pub fn function() -> Function {
    endpoint().start(Mfa::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<Mfa>> {
    Endpoint::new("confirm-mfa", Access::SignedIn, GRANTS)
        .post("/api/auth/mfa/confirm", confirm_mfa)
}

/// A code of the app.
#[derive(Debug)]
pub struct ConfirmMfa {
    code: Otp,
}

impl FromInput for ConfirmMfa {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let code = fields.required_with("code", Otp::code);
        fields.finish(|| Some(Self { code: code? }))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecoveryView {
    recovery_codes: Vec<String>,
}

/// Turns the offered factor on for whoever shows a code of it: the app works,
/// and its clock is right. From then on logging in takes a code; the code that
/// was shown here is used up. This session counts as made with it, the others
/// go on as they are.
///
/// The reply has the recovery codes, which nobody sees again. A client that
/// got none has a factor and no recovery codes: it can turn the factor off
/// with a code and begin anew.
///
/// A wrong code counts like a wrong password at log-in, with the same reply
/// while the address is locked.
///
/// # Errors
/// 422 for a wrong code; 409 `mfa_not_enrolled` when nothing is offered (any
/// more), `mfa_enabled` when it is on, `user_changed` when another one was
/// offered meanwhile; 401 when the session ended meanwhile.
pub async fn confirm_mfa(
    State(app): State<Arc<Mfa>>,
    person: SignedIn,
    RequestCause(cause): RequestCause,
    Json(input): Json<ConfirmMfa>,
) -> Result<Reply, ApiError> {
    let user = app.store.user(person.user_id).await?;
    let user = user.ok_or_else(|| ApiError::not_found("user"))?;
    let factor = app.store.second_factor(user.id).await?;
    let factor = factor.ok_or_else(mfa_not_enrolled)?;
    let now = app.clock.now();
    if factor.is_on() {
        return Err(EnrolFactorError::AlreadyOn.into());
    }
    if !factor.is_offered(now) {
        return Err(mfa_not_enrolled());
    }
    let attempts = app.store.attempts(user.email.as_str()).await?;
    let shown = app.factors.shown(&factor, &input.code, now)?;
    let step = match shown {
        Some(Shown::Code { step, .. }) if !attempts.is_locked(now) => step,
        _ => {
            app.store.count_failure(user.email.as_str(), now).await?;
            return Err(wrong_code());
        }
    };
    let codes = RecoveryCode::generate_all()?;
    let enabled = UserMfaEnabled {
        user_id: user.id,
        email: user.email.as_str().to_owned(),
    };
    let confirmation = Confirmation {
        user: &user,
        factor: &factor,
        step,
        recovery_hashes: codes.iter().map(RecoveryCode::hash).collect(),
        session_id: person.session_id,
        now,
        enabled: &Envelope::new(&enabled, now, &cause),
    };
    app.store.confirm_factor(confirmation).await?;
    let recovery_codes = codes.iter().map(RecoveryCode::reveal).collect();
    Ok(Reply::ok(
        "logging in takes a code from now on; keep these, each is good once",
        &RecoveryView { recovery_codes },
    ))
}
