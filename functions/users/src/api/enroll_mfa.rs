//! Begins the enrolment of a second factor.

use std::sync::Arc;

use qrcode::{QrCode, render::svg};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, SignedIn, State},
};
use serde::Serialize;

use super::support::{
    accounts::find_user,
    errors::email_unverified,
    reauthentication::{self, Reauthentication},
};
use crate::{app::App, credentials::second_factors::SecondFactors, store::EnrolFactorError};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "MfaSecret"),
];
/// Pixels of a side at least: large enough to scan from a screen.
const QR_SIDE_MIN: u32 = 240;

pub fn function() -> Function {
    Endpoint::new("enroll-mfa", Access::SignedIn, GRANTS)
        .post("/api/auth/mfa/enroll", enroll_mfa)
        .start(App::start)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EnrolmentView {
    secret: String,
    otpauth_uri: String,
    qr_svg: String,
}

/// Creates a secret for an authenticator app, as text, as a URI and as a QR code.
/// Nothing changes until a code of it is sent to `confirm-mfa` within the hour; another
/// enrolment replaces this one. The password is required here and not there: whoever
/// confirms has seen this secret.
///
/// # Errors
/// 409 `mfa_enabled` when a second factor is enabled; 403 `email_unverified` when the
/// caller has not proven the mailbox, whose owner a factor would keep out; 404 when the
/// account was deleted; those of [`reauthentication::require`].
async fn enroll_mfa(
    State(app): State<Arc<App<SecondFactors>>>,
    caller: SignedIn,
    input: Option<Json<Reauthentication>>,
) -> Result<Reply, ApiError> {
    let user = find_user(&app.store, caller.user_id).await?;
    if user.mfa_enabled {
        return Err(EnrolFactorError::AlreadyEnabled.into());
    }
    if !user.owner_proven() {
        return Err(email_unverified());
    }
    let now = app.host.now();
    let shown = (&user, input.map(|Json(shown)| shown).unwrap_or_default());
    reauthentication::require(&app.store, &app.credentials, &caller, shown, now).await?;
    let (secret, pending) = app.credentials.enroll(now)?;
    let otpauth_uri = secret.uri(&app.settings.shop_name, user.email.as_str());
    let qr = QrCode::new(&otpauth_uri).map_err(ApiError::internal)?;
    let mut picture = qr.render::<svg::Color<'_>>();
    let qr_svg = picture.min_dimensions(QR_SIDE_MIN, QR_SIDE_MIN).build();
    app.store.enroll_factor(user.id, &pending).await?;
    let view = EnrolmentView {
        secret: secret.reveal(),
        otpauth_uri,
        qr_svg,
    };
    Ok(Reply::ok("scan this, then confirm with a code", &view))
}
