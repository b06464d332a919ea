//! Shows the caller's sessions.

use std::sync::Arc;

use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Reply, SignedIn, State},
};

use super::support::views::SessionView;
use crate::app::App;

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:Query", "UsersTable"),
];

pub fn function() -> Function {
    Endpoint::new("list-sessions", Access::SignedIn, GRANTS)
        .get("/api/users/sessions", list_sessions)
        .start(App::start)
}

/// The caller's live sessions, newest first. Not paged: there are at most
/// [`crate::domain::SESSIONS_MAX`].
///
/// # Errors
/// 404 when the account was deleted.
async fn list_sessions(State(app): State<Arc<App>>, caller: SignedIn) -> Result<Reply, ApiError> {
    let (user, mut sessions) = app.store.account(caller.user_id).await?;
    let user = user.ok_or_else(|| ApiError::not_found("user"))?;
    let now = app.host.now();
    sessions.retain(|session| session.is_live(&user, now));
    sessions.sort_by_key(|session| std::cmp::Reverse((session.created_at, session.id)));
    let view = |session| SessionView::new(session, caller.session_id);
    let views: Vec<_> = sessions.iter().map(view).collect();
    Ok(Reply::ok("your sessions", &views))
}
