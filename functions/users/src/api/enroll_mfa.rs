//! Offers a person a second factor.

use std::sync::Arc;

use qrcode::{QrCode, render::svg};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Reply, SignedIn, State},
};
use serde::Serialize;

use crate::{app::Mfa, store::EnrolFactorError};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "MfaSecret"),
];
/// Pixels of the picture's sides at least: big enough to scan from a screen.
const QR_SIDE_MIN: u32 = 240;

/// The function `enroll-mfa`.
pub fn function() -> Function {
    endpoint().start(Mfa::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<Mfa>> {
    Endpoint::new("enroll-mfa", Access::SignedIn, GRANTS).post("/api/auth/mfa/enroll", enroll_mfa)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfferView {
    secret: String,
    otpauth_uri: String,
    qr_svg: String,
}

/// Offers a secret for an authenticator app, as text, as a URI, and as a
/// picture of that. Nothing changes until a code of it is shown to confirm-mfa,
/// within the hour; another offer takes the place of this one. So it takes no
/// password: an offer gives nobody anything.
///
/// # Errors
/// 409 `mfa_enabled` when there is a second factor already; 404 when the
/// account was deleted meanwhile.
pub async fn enroll_mfa(State(app): State<Arc<Mfa>>, person: SignedIn) -> Result<Reply, ApiError> {
    let user = app.store.user(person.user_id).await?;
    let user = user.ok_or_else(|| ApiError::not_found("user"))?;
    if user.mfa_enabled {
        return Err(EnrolFactorError::AlreadyOn.into());
    }
    let (secret, offered) = app.factors.offer(app.clock.now())?;
    let otpauth_uri = secret.uri(&app.shop, user.email.as_str());
    let qr = QrCode::new(&otpauth_uri).map_err(ApiError::internal)?;
    let mut picture = qr.render::<svg::Color<'_>>();
    let qr_svg = picture.min_dimensions(QR_SIDE_MIN, QR_SIDE_MIN).build();
    app.store.offer_factor(user.id, &offered).await?;
    let view = OfferView {
        secret: secret.reveal(),
        otpauth_uri,
        qr_svg,
    };
    Ok(Reply::ok("scan this, then confirm with a code", &view))
}
