//! Removes the second factor of a user who has lost it.

use std::sync::Arc;

use contracts::Envelope;
use dynamo::Attempts;
use kernel::UserId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Caller, Endpoint, Id, Json, Reply, RequestCause, State, StatusCode},
};

use super::support::{
    accounts::find_user,
    events::mfa_disabled,
    reauthentication::{self, Reauthentication},
};
use crate::{app::App, credentials::second_factors::SecondFactors, store::RemoveFactorError};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "MfaSecret"),
];
const DISABLED: &str = "logging in requires only the password";

pub fn function() -> Function {
    Endpoint::new("reset-mfa", Access::AdminOrInternal, GRANTS)
        .delete("/api/users/{id}/mfa", reset_mfa)
        .start(App::start)
}

/// Removes a user's second factor and ends all sessions at once, because the device may
/// have been stolen. An e-mail tells the user, who logs in with the password alone.
/// Repeating the request changes nothing. An admin is asked again for what their own
/// account has.
///
/// # Errors
/// 404; 403 `reauthentication_required` and what else [`reauthentication::require`]
/// refuses; 403 `own_mfa` for the caller's own, which requires a code: otherwise somebody
/// who finds an admin's device unlocked would not need one; 409 `user_changed` when all
/// attempts met conflicts.
async fn reset_mfa(
    State(app): State<Arc<App<SecondFactors>>>,
    Id(id): Id<UserId>,
    caller: Caller,
    RequestCause(cause): RequestCause,
    input: Option<Json<Reauthentication>>,
) -> Result<Reply, ApiError> {
    if matches!(&caller, Caller::User(principal) if principal.user_id == id) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "own_mfa",
            "disable your own second factor with a code: POST /api/auth/mfa/disable",
        ));
    }
    let shown = input.map(|Json(shown)| shown).unwrap_or_default();
    reauthentication::require_of_admin(&app, &caller, shown).await?;
    let mut attempts = Attempts::new(app.host.random());
    while attempts.next().await {
        let user = find_user(&app.store, id).await?;
        if !user.mfa_enabled {
            return Ok(Reply::done(DISABLED));
        }
        let reset = user.without_mfa();
        let stamp = app.host.stamp(app.host.now(), &cause);
        let disabled = Envelope::new(&mfa_disabled(&reset), stamp);
        match app.store.reset_factor(&reset, &disabled).await {
            Ok(()) => return Ok(Reply::done(DISABLED)),
            Err(RemoveFactorError::Changed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(RemoveFactorError::Changed.into())
}
