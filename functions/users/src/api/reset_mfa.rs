//! Takes the second factor from somebody who has lost it.

use std::sync::Arc;

use contracts::Envelope;
use http::StatusCode;
use kernel::UserId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Caller, Endpoint, Id, Reply, RequestCause, State},
};

use super::{TRIES_MAX, disable_mfa::announcement};
use crate::{app::App, store::RemoveFactorError};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
];

const DONE: &str = "logging in takes the password alone";

/// The function `reset-mfa`.
pub fn function() -> Function {
    endpoint().start(App::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<App>> {
    Endpoint::new("reset-mfa", Access::AdminOrInternal, GRANTS)
        .delete("/api/users/{id}/mfa", reset_mfa)
}

/// Takes somebody's second factor away, and ends all of their sessions at
/// once: the device may have been stolen, not lost. They log in with the
/// password alone, and are told by mail. Doing it again changes nothing.
///
/// # Errors
/// 404; 403 `own_mfa` for one's own, which takes a code: else whoever finds an
/// admin's device unlocked could do without; 409 `user_changed` when others
/// keep changing the same user.
pub async fn reset_mfa(
    State(app): State<Arc<App>>,
    Id(id): Id<UserId>,
    caller: Caller,
    RequestCause(cause): RequestCause,
) -> Result<Reply, ApiError> {
    if matches!(caller, Caller::User(person) if person.user_id == id) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "own_mfa",
            "turn your own second factor off with a code: POST /api/auth/mfa/disable",
        ));
    }
    for _ in 0..TRIES_MAX {
        let user = app.store.user(id).await?;
        let user = user.ok_or_else(|| ApiError::not_found("user"))?;
        if !user.mfa_enabled {
            return Ok(Reply::done(DONE));
        }
        let reset = user.without_mfa();
        let disabled = Envelope::new(&announcement(&reset), app.clock.now(), &cause);
        match app.store.reset_factor(&reset, &disabled).await {
            Ok(()) => return Ok(Reply::done(DONE)),
            Err(RemoveFactorError::Changed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(RemoveFactorError::Changed.into())
}
