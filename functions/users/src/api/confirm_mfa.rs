//! Enables a second factor.

use std::sync::Arc;

use contracts::{Envelope, events::UserMfaEnabled};
use kernel::input::{FieldErrors, FromInput, Value};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, SignedIn, State},
};
use serde::Serialize;

use super::support::{
    accounts::find_user,
    errors::{email_unverified, mfa_not_enrolled, wrong_code},
    rate_limits::{self, FACTOR_CHANGES, TOO_MANY_FACTOR_CHANGES},
};
use crate::{
    app::App,
    credentials::second_factors::{RecoveryCode, SecondFactors},
    domain::{Guess, Otp, Source, VerifiedFactor},
    store::{Confirmation, EnrolFactorError},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:ConditionCheckItem", "UsersTable"),
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "MfaSecret"),
];

pub fn function() -> Function {
    Endpoint::new("confirm-mfa", Access::SignedIn, GRANTS)
        .post("/api/auth/mfa/confirm", confirm_mfa)
        .start(App::start)
}

#[derive(Debug)]
struct ConfirmMfa {
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
struct RecoveryCodesView {
    recovery_codes: Vec<String>,
}

/// Enables the pending factor once a code of it is verified, which shows that the app
/// works and its clock is right. From then on logging in requires a code; this one is
/// used up. Sessions go on; none of them counts as begun with the factor, the caller's
/// neither: it may be a thief's.
///
/// The reply has the recovery codes, which are shown only once. A client that got no
/// reply can disable the factor with a code and enrol again.
///
/// A wrong code counts as a failure of the session, and the error is the same while that
/// is locked.
///
/// # Errors
/// 422 for a wrong code; 429 for the eleventh change in an hour; 409
/// `mfa_not_enrolled` when no enrolment is pending,
/// `mfa_enabled` when a factor is enabled, `user_changed` when another enrolment was
/// begun concurrently; 403 `email_unverified` as in enrolling; 401 when the session has ended.
async fn confirm_mfa(
    State(app): State<Arc<App<SecondFactors>>>,
    caller: SignedIn,
    RequestCause(cause): RequestCause,
    Json(input): Json<ConfirmMfa>,
) -> Result<Reply, ApiError> {
    let user = find_user(&app.store, caller.user_id).await?;
    let factor = app.store.second_factor(user.id).await?;
    let factor = factor.ok_or_else(mfa_not_enrolled)?;
    let now = app.host.now();
    if factor.is_confirmed() {
        return Err(EnrolFactorError::AlreadyEnabled.into());
    }
    if !factor.is_pending(now) {
        return Err(mfa_not_enrolled());
    }
    if !user.owner_proven() {
        return Err(email_unverified());
    }
    let source = &Source::Session(caller.session_id);
    let email = user.email.as_str();
    let guess = Guess { email, source };
    let failures = app.store.login_failures(guess).await?;
    let time_step = match app.credentials.verify(&factor, &input.code, now)? {
        Some(VerifiedFactor::Totp { time_step, .. }) if !failures.is_locked(now) => time_step,
        _ => {
            app.store.record_failure(guess, now).await?;
            return Err(wrong_code());
        }
    };
    let key = user.id.to_string();
    let detail = TOO_MANY_FACTOR_CHANGES;
    let headers = rate_limits::enforce(&app.store, &FACTOR_CHANGES, &key, now, detail).await?;
    let codes = app.credentials.recovery_codes();
    let enabled = UserMfaEnabled {
        user_id: user.id,
        email: user.email.as_str().to_owned(),
    };
    let confirmation = Confirmation {
        user: &user,
        factor: &factor,
        time_step,
        recovery_hashes: codes.iter().map(RecoveryCode::hash).collect(),
        session_id: caller.session_id,
        now,
        enabled: &Envelope::new(&enabled, app.host.stamp(now, &cause)),
    };
    let confirmed = app.store.confirm_factor(confirmation).await;
    confirmed.map_err(|error| ApiError::from(error).with_headers(headers.clone()))?;
    let recovery_codes = codes.iter().map(RecoveryCode::reveal).collect();
    let reply = Reply::ok(
        "logging in now requires a code; keep these recovery codes, each works once",
        &RecoveryCodesView { recovery_codes },
    );
    Ok(reply.with_headers(headers))
}
