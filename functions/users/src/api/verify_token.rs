//! Says whose an access token is, for whoever is to trust it.

use std::sync::Arc;

use kernel::{
    SessionId, Timestamp, UserId,
    input::{FromInput, FieldErrors, Value},
};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, Role, State},
};
use serde::Serialize;

use super::limits::WithinLimits;
use crate::{
    app::SignIns,
    domain::{Reason, admit},
    tokens::Rejected,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:BatchGetItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "AuthSecret"),
];

/// The function `verify-token`.
pub fn function() -> Function {
    endpoint().start(SignIns::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<SignIns>> {
    Endpoint::new("verify-token", Access::Public, GRANTS).post("/api/auth/verify", verify_token)
}

/// The token; whoever has it may know what it says.
#[derive(Debug)]
pub struct VerifyToken {
    token: Secret,
}

/// A text that does not show itself.
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl FromInput for VerifyToken {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let token = fields.required_with("token", |value| Ok(Secret(value.text()?.into_owned())));
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

/// Says whose a token is. The role is the account's of now, and a token is as
/// good as its session and account are: what any of our endpoints would say.
///
/// # Errors
/// 401 with the reason, as every endpoint has it.
pub async fn verify_token(
    State(app): State<Arc<SignIns>>,
    _: WithinLimits,
    Json(input): Json<VerifyToken>,
) -> Result<Reply, ApiError> {
    let refused = |reason: Reason| ApiError::unauthenticated(Some(reason.as_str()));
    let now = app.clock.now();
    let claims = app.tokens.verify(&input.token.0, now).await;
    let claims = claims.map_err(|rejected| {
        refused(match rejected {
            Rejected::Expired => Reason::TokenExpired,
            Rejected::Invalid => Reason::TokenInvalid,
        })
    })?;
    let (session, user) = app.store.session_and_user(claims.sid, claims.sub).await?;
    let person = admit(session.as_ref(), user.as_ref(), app.admin_mfa, now);
    let person = person.map_err(refused)?;
    let view = TokenView {
        valid: true,
        user_id: person.user_id,
        session_id: person.session_id,
        role: person.role,
        expires_at: Timestamp::from_second(claims.exp).unwrap_or(now),
    };
    Ok(Reply::ok("the token is good", &view))
}
