//! Beginning sessions.

use http::{HeaderMap, header};
use kernel::Timestamp;
use runtime::Host;

use super::views::SignedInView;
use crate::{
    app::App,
    credentials::tokens::{KeyRing, RefreshToken, SignError},
    domain::{Session, User, principal},
};

/// A new session with its first refresh token.
pub(in crate::api) fn begin(host: &Host, user: &User, now: Timestamp) -> (Session, RefreshToken) {
    let refresh = RefreshToken::generate(user.id, host.new_id(), host.random());
    let session = Session::begin(refresh.session_id, user, refresh.hash(), now);
    (session, refresh)
}

/// What a client gets that has begun or refreshed a session: the user and new tokens.
///
/// # Errors
/// When the access token cannot be signed, which is a defect.
pub(in crate::api) fn signed_in<'a, C>(
    app: &App<C>,
    tokens: &KeyRing,
    user: &'a User,
    session: &Session,
    refresh: &RefreshToken,
) -> Result<SignedInView<'a>, SignError> {
    let principal = principal(session, user, app.settings.admin_mfa);
    let access = tokens.issue(&principal, app.host.new_id(), session.refreshed_at)?;
    Ok(SignedInView::new(user, access, refresh))
}

pub(in crate::api) fn device(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::USER_AGENT)?.to_str().ok()
}

/// The token of `Bearer <token>` (RFC 6750, section 2.1); the scheme is
/// case-insensitive (RFC 9110, section 11.1).
pub(in crate::api) fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
