//! Exchanges a refresh token for new tokens.

use std::sync::Arc;

use kernel::input::{FieldErrors, FromInput, Value};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, State},
};

use super::support::{errors::invalid_refresh_token, rate_limits::limit_by_ip, sessions};
use crate::{
    app::App,
    credentials::tokens::{KeyRing, RefreshToken},
    domain::{Session, User},
    store::RefreshSessionError,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "AuthSecret"),
];

pub fn function() -> Function {
    Endpoint::new("refresh-tokens", Access::Public, GRANTS)
        .post("/api/auth/refresh", refresh_tokens)
        .guard(limit_by_ip)
        .start(App::start)
}

#[derive(Debug)]
struct RefreshTokens {
    /// `None` for text that cannot be a token of ours.
    token: Option<RefreshToken>,
}

impl FromInput for RefreshTokens {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let token = fields.required_with("refreshToken", |value| {
            Ok(RefreshToken::parse(&value.text()?))
        });
        fields.finish(|| Some(Self { token: token? }))
    }
}

/// Exchanges a refresh token, which is thereby used up, for new tokens.
///
/// A token that is used twice was copied, and there is no telling by whom: the session
/// ends for the thief and for the owner (RFC 9700, section 4.14.2). The same holds for
/// two concurrent uses: one succeeds, and then the session ends. A grace period would
/// spare a client that sends a token twice, and give a thief the same seconds; a client
/// must send one refresh at a time.
///
/// Somebody who knows the id of a session can end it with an invented secret. Only the
/// access tokens of the session contain its id, and whoever has one can end it anyway.
///
/// # Errors
/// 429 for too many requests from one address; 401 `invalid_refresh_token`; 422 when
/// the token is missing.
async fn refresh_tokens(
    State(app): State<Arc<App<KeyRing>>>,
    Json(input): Json<RefreshTokens>,
) -> Result<Reply, ApiError> {
    let token = input.token.ok_or_else(invalid_refresh_token)?;
    let (seen, user) = find_session(&app, &token).await?;
    let next = RefreshToken::generate(seen.user_id, seen.id, app.host.random());
    let session = seen.refreshed(next.hash(), app.host.now());
    let refreshed = app.store.refresh_session(&seen, &session).await;
    if let Err(RefreshSessionError::Superseded) = refreshed {
        app.store.end_session(seen.user_id, seen.id).await?;
    }
    refreshed?;
    let view = sessions::signed_in(&app, &app.credentials, &user, &session, &next)?;
    Ok(Reply::ok("tokens refreshed", &view))
}

/// The live session of a token and its user; ends the session of a reused token.
async fn find_session(
    app: &App<KeyRing>,
    token: &RefreshToken,
) -> Result<(Session, User), ApiError> {
    let session = app.store.session(token.user_id, token.session_id).await?;
    let session = session.ok_or_else(invalid_refresh_token)?;
    if !token.matches(&session.refresh_hash) {
        tracing::warn!(user_id = %session.user_id, "refresh token reused: session ended");
        app.store.end_session(session.user_id, session.id).await?;
        return Err(invalid_refresh_token());
    }
    let user = app.store.user(session.user_id).await?;
    let is_valid = |user: &User| user.is_active() && session.is_live(user, app.host.now());
    let user = user.filter(is_valid).ok_or_else(invalid_refresh_token)?;
    Ok((session, user))
}
