//! Ends another session of the caller.

use std::sync::Arc;

use kernel::SessionId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, Reply, SignedIn, State},
};

use crate::app::App;

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
];

pub fn function() -> Function {
    Endpoint::new("end-session", Access::SignedIn, GRANTS)
        .delete("/api/users/sessions/{id}", end_session)
        .start(App::start)
}

/// Ends a session of the caller; its tokens are invalid at once. Another user's session
/// cannot be named, since the key that is deleted contains the caller's id.
///
/// # Errors
/// 404 when the caller has no such session.
async fn end_session(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    Id(id): Id<SessionId>,
) -> Result<Reply, ApiError> {
    let session = app.store.session(caller.user_id, id).await?;
    session.ok_or_else(|| ApiError::not_found("session"))?;
    app.store.end_session(caller.user_id, id).await?;
    Ok(Reply::done("the session has ended"))
}
