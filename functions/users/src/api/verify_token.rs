//! Tells any client whose an access token is.

use std::{fmt, sync::Arc};

use dynamo::StoreError;
use kernel::{
    Role, SessionId, Timestamp, UserId,
    input::{FieldErrors, FromInput, Value},
};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, SourceIp, State},
};
use serde::Serialize;

use super::support::rate_limits::reject_by_ip;
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
/// be valid too, and the role is the account's current one. Only tokens that are
/// rejected count for the address: a valid one is no guess.
///
/// # Errors
/// 401 with the same codes as every endpoint; 429 for too many rejected tokens from one
/// address.
async fn verify_token(
    State(app): State<Arc<App<KeyRing>>>,
    client: SourceIp,
    Json(input): Json<VerifyToken>,
) -> Result<Reply, ApiError> {
    match resolve(&app, &input.token).await? {
        Ok(view) => Ok(Reply::ok("the token is valid", &view)),
        Err(reason) => {
            let rejection = ApiError::unauthenticated(Some(reason.as_str()));
            Err(reject_by_ip(app, client, rejection).await)
        }
    }
}

async fn resolve(
    app: &App<KeyRing>,
    token: &str,
) -> Result<Result<TokenView, Rejection>, StoreError> {
    let now = app.host.now();
    let claims = match app.credentials.verify(token, now).await {
        Ok(claims) => claims,
        Err(TokenError::Expired) => return Ok(Err(Rejection::TokenExpired)),
        Err(TokenError::Invalid) => return Ok(Err(Rejection::TokenInvalid)),
    };
    let (session, user) = app.store.session_and_user(claims.sid, claims.sub).await?;
    let principal = admit(session.as_ref(), user.as_ref(), app.settings.admin_mfa, now);
    Ok(principal.map(|principal| TokenView {
        valid: true,
        user_id: principal.user_id,
        session_id: principal.session_id,
        role: principal.role,
        expires_at: Timestamp::from_second(claims.exp).unwrap_or(now),
    }))
}
