//! Signs a person out on another device.

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

/// The function `end-session`.
pub fn function() -> Function {
    endpoint().start(App::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<App>> {
    Endpoint::new("end-session", Access::SignedIn, GRANTS)
        .delete("/api/users/sessions/{id}", end_session)
}

/// Ends a session of the caller, at once: its tokens are worth nothing from
/// then on. Somebody else's session cannot be named: the key that is deleted
/// has the caller's id in it.
///
/// # Errors
/// 404 when the caller has no such session (any more).
pub async fn end_session(
    State(app): State<Arc<App>>,
    person: SignedIn,
    Id(id): Id<SessionId>,
) -> Result<Reply, ApiError> {
    let session = app.store.session(person.user_id, id).await?;
    session.ok_or_else(|| ApiError::not_found("session"))?;
    app.store.end_session(person.user_id, id).await?;
    Ok(Reply::done("the session is over"))
}
