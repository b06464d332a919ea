//! Gives new tokens for a refresh token.

use std::sync::Arc;

use kernel::input::{FromInput, FieldErrors, Value};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, State},
};

use super::{errors::invalid_refresh_token, limits::WithinLimits, views::SignedInView};
use crate::{
    app::SignIns,
    domain::{Session, User},
    store::RefreshSessionError,
    tokens::RefreshToken,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "AuthSecret"),
];

/// The function `refresh-tokens`.
pub fn function() -> Function {
    endpoint().start(SignIns::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<SignIns>> {
    Endpoint::new("refresh-tokens", Access::Public, GRANTS)
        .post("/api/auth/refresh", refresh_tokens)
}

/// The token, if it is a text; what it is worth is for the handler to say.
#[derive(Debug)]
pub struct Refresh {
    token: Option<RefreshToken>,
}

impl FromInput for Refresh {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let token = fields.required_with("refreshToken", |value| {
            Ok(RefreshToken::parse(&value.text()?))
        });
        fields.finish(|| Some(Self { token: token? }))
    }
}

/// Gives new tokens for a refresh token, which is thereby used up.
///
/// A token that was used before has been copied by somebody, and nobody can
/// say by whom: the session ends, for the thief and for the owner (RFC 9700,
/// 4.14.2). That goes for two uses at the same time as well: one of them wins,
/// and then the session ends. A grace period would spare a client that sends
/// a token twice, and would give a thief the same seconds; a client must send
/// one refresh at a time.
///
/// The token of no session that is known ends nothing. Somebody who knows a
/// session's id can end it with a made-up secret; the id stands in that
/// session's access tokens only, whose holder can end it anyway.
///
/// # Errors
/// 429 when too many requests came from the same address;
/// 401 `invalid_refresh_token`; 422 when there is none.
pub async fn refresh_tokens(
    State(app): State<Arc<SignIns>>,
    _: WithinLimits,
    Json(input): Json<Refresh>,
) -> Result<Reply, ApiError> {
    let token = input.token.ok_or_else(invalid_refresh_token)?;
    let (seen, user) = owner(&app, &token).await?;
    let next = RefreshToken::generate(seen.user_id, seen.id)?;
    let session = seen.refreshed(next.hash(), app.clock.now());
    let refreshed = app.store.refresh_session(&seen, &session).await;
    if let Err(RefreshSessionError::Superseded) = refreshed {
        app.store.end_session(seen.user_id, seen.id).await?;
    }
    refreshed?;
    let view = SignedInView::new(&app, &user, &session, &next)?;
    Ok(Reply::ok("tokens refreshed", &view))
}

/// The session that a token refreshes, and whose it is.
async fn owner(app: &SignIns, token: &RefreshToken) -> Result<(Session, User), ApiError> {
    let session = app.store.session(token.user_id, token.session_id).await?;
    let session = session.ok_or_else(invalid_refresh_token)?;
    if !token.matches(&session.refresh_hash) {
        tracing::warn!(user_id = %session.user_id, "refresh token used again: session ended");
        app.store.end_session(session.user_id, session.id).await?;
        return Err(invalid_refresh_token());
    }
    let user = app.store.user(session.user_id).await?;
    let good = |user: &User| user.is_active() && session.is_live(user, app.clock.now());
    let user = user.filter(good).ok_or_else(invalid_refresh_token)?;
    Ok((session, user))
}
