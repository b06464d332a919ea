//! Exchanges a refresh token for new tokens.

use std::sync::Arc;

use kernel::input::{FieldErrors, FromInput, Value};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, SourceIp, State},
};

use super::support::{
    errors::invalid_refresh_token,
    rate_limits::{self, REFRESHES, reject_by_ip},
    sessions,
};
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
/// A session's refreshes are limited by the session, whatever others at the same
/// address do. A token of no session counts for the address, so that inventing tokens
/// is limited as well. A refresh over the limit does not use up the token.
///
/// Somebody who knows the id of a session can end it with an invented secret. Only the
/// access tokens of the session contain its id, and whoever has one can end it anyway.
///
/// # Errors
/// 429 for too many refreshes of the session, or tokens of no session from one address;
/// 401 `invalid_refresh_token`; 422 when the token is missing.
async fn refresh_tokens(
    State(app): State<Arc<App<KeyRing>>>,
    client: SourceIp,
    Json(input): Json<RefreshTokens>,
) -> Result<Reply, ApiError> {
    let found = match input.token {
        Some(token) => find_session(&app, token).await?,
        None => None,
    };
    let Some((token, session)) = found else {
        return Err(reject_by_ip(app, client, invalid_refresh_token()).await);
    };
    if !token.matches(&session.refresh_hash) {
        tracing::warn!(user_id = %session.user_id, "refresh token reused: session ended");
        app.store.end_session(session.user_id, session.id).await?;
        return Err(invalid_refresh_token());
    }
    let key = session.id.to_string();
    let detail = "too many refreshes of this session; try again later";
    let headers =
        rate_limits::enforce(&app.store, &REFRESHES, &key, app.host.now(), detail).await?;
    rate_limits::with_headers(refresh(&app, &session).await, headers)
}

async fn find_session(
    app: &App<KeyRing>,
    token: RefreshToken,
) -> Result<Option<(RefreshToken, Session)>, ApiError> {
    let session = app.store.session(token.user_id, token.session_id).await?;
    Ok(session.map(|session| (token, session)))
}

/// Rotates the refresh token of a session whose current token was sent.
async fn refresh(app: &App<KeyRing>, seen: &Session) -> Result<Reply, ApiError> {
    let user = app.store.user(seen.user_id).await?;
    let is_valid = |user: &User| user.is_active() && seen.is_live(user, app.host.now());
    let user = user.filter(is_valid).ok_or_else(invalid_refresh_token)?;
    let next = RefreshToken::generate(seen.user_id, seen.id, app.host.random());
    let session = seen.refreshed(next.hash(), app.host.now());
    let refreshed = app.store.refresh_session(seen, &session).await;
    if let Err(RefreshSessionError::Superseded) = refreshed {
        app.store.end_session(seen.user_id, seen.id).await?;
    }
    refreshed?;
    let view = sessions::signed_in(app, &app.credentials, &user, &session, &next)?;
    Ok(Reply::ok("tokens refreshed", &view))
}
