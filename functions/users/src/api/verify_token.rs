//! Tells any client whose an access token is.

use std::{fmt, sync::Arc};

use kernel::{
    Role, SessionId, Timestamp, UserId,
    input::{FieldErrors, FromInput, Value},
};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, State},
};
use serde::Serialize;

use super::support::rate_limits::limit_by_ip;
use crate::{
    app::App,
    credentials::tokens::{KeyRing, TokenError},
    domain::{Rejection, admit},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:BatchGetItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "AuthSecret"),
];

pub fn function() -> Function {
    Endpoint::new("verify-token", Access::Public, GRANTS)
        .post("/api/auth/verify", verify_token)
        .guard(limit_by_ip)
        .start(App::start)
}

struct VerifyToken {
    token: String,
}

impl fmt::Debug for VerifyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyToken(…)")
    }
}

impl FromInput for VerifyToken {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let token = fields.required_with("token", |value| Ok(value.text()?.into_owned()));
        fields.finish(|| Some(Self { token: token? }))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenView {
    valid: bool,
    user_id: UserId,
    session_id: SessionId,
    role: Role,
    expires_at: Timestamp,
}

/// Verifies an access token as the authorizer does: the session and the account have to
/// be valid too, and the role is the account's current one.
///
/// # Errors
/// 401 with the same codes as every endpoint.
async fn verify_token(
    State(app): State<Arc<App<KeyRing>>>,
    Json(input): Json<VerifyToken>,
) -> Result<Reply, ApiError> {
    let rejected = |reason: Rejection| ApiError::unauthenticated(Some(reason.as_str()));
    let now = app.host.now();
    let claims = app.credentials.verify(&input.token, now).await;
    let claims = claims.map_err(|error| {
        rejected(match error {
            TokenError::Expired => Rejection::TokenExpired,
            TokenError::Invalid => Rejection::TokenInvalid,
        })
    })?;
    let (session, user) = app.store.session_and_user(claims.sid, claims.sub).await?;
    let admin_mfa = app.settings.admin_mfa;
    let principal = admit(session.as_ref(), user.as_ref(), admin_mfa, now).map_err(rejected)?;
    let view = TokenView {
        valid: true,
        user_id: principal.user_id,
        session_id: principal.session_id,
        role: principal.role,
        expires_at: Timestamp::from_second(claims.exp).unwrap_or(now),
    };
    Ok(Reply::ok("the token is valid", &view))
}
