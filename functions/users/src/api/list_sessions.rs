//! Shows a person where they are signed in.

use std::{net::IpAddr, sync::Arc};

use kernel::{SessionId, Timestamp};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Reply, SignedIn, State},
};
use serde::Serialize;

use crate::{app::App, domain::Session};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:Query", "UsersTable"),
];

/// The function `list-sessions`.
pub fn function() -> Function {
    endpoint().start(App::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<App>> {
    Endpoint::new("list-sessions", Access::SignedIn, GRANTS)
        .get("/api/users/sessions", list_sessions)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionView<'a> {
    id: SessionId,
    created_at: Timestamp,
    last_used_at: Timestamp,
    ends_at: Timestamp,
    ip: Option<IpAddr>,
    device: Option<&'a str>,
    mfa: bool,
    current: bool,
}

impl<'a> SessionView<'a> {
    /// A session, as somebody sees it who is signed in through `current`.
    pub(super) fn of(session: &'a Session, current: SessionId) -> Self {
        Self {
            id: session.id,
            created_at: session.created_at,
            last_used_at: session.refreshed_at,
            ends_at: session.ends_at(),
            ip: session.ip,
            device: session.device.as_deref(),
            mfa: session.mfa,
            current: session.id == current,
        }
    }
}

/// The sessions of the caller that are not over, the latest first. There are
/// never more than [`crate::domain::SESSIONS_MAX`], so it is no paged list.
///
/// # Errors
/// 404 when the account was deleted meanwhile.
pub async fn list_sessions(
    State(app): State<Arc<App>>,
    person: SignedIn,
) -> Result<Reply, ApiError> {
    let (user, mut sessions) = app.store.account(person.user_id).await?;
    let user = user.ok_or_else(|| ApiError::not_found("user"))?;
    let now = app.clock.now();
    sessions.retain(|session| session.is_live(&user, now));
    sessions.sort_by_key(|session| std::cmp::Reverse((session.created_at, session.id)));
    let view = |session| SessionView::of(session, person.session_id);
    let views: Vec<_> = sessions.iter().map(view).collect();
    Ok(Reply::ok("your sessions", &views))
}
