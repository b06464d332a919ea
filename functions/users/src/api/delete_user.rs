//! Closes an account on behalf of an admin.

use std::sync::Arc;

use contracts::{Envelope, events::UserDeactivated};
use dynamo::Attempts;
use kernel::UserId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Caller, Endpoint, Id, Json, Reply, RequestCause, State},
};

use super::support::{
    accounts::{find_user, keeps_last_admin},
    events::user_updated,
    reauthentication::{self, Reauthentication},
};
use crate::{
    app::App,
    credentials::second_factors::SecondFactors,
    domain::{Status, UserChange},
    store::UpdateUserError,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "MfaSecret"),
];
const CLOSED: &str = "the account is closed";

pub fn function() -> Function {
    Endpoint::new("delete-user", Access::AdminOrInternal, GRANTS)
        .delete("/api/users/{id}", delete_user)
        .start(App::start)
}

/// Closes an account: its sessions end, and nobody can log in until an admin sets the
/// status to `active` again. The data stays. Repeating the request changes and
/// announces nothing. An admin is asked again for what their own account has.
///
/// # Errors
/// 404; 403 `reauthentication_required` and what else [`reauthentication::require`]
/// refuses; 409 `last_admin` when no active admin would be left, unless the caller has the
/// internal key; 409 `user_changed` when all attempts met conflicts.
async fn delete_user(
    State(app): State<Arc<App<SecondFactors>>>,
    Id(id): Id<UserId>,
    caller: Caller,
    RequestCause(cause): RequestCause,
    input: Option<Json<Reauthentication>>,
) -> Result<Reply, ApiError> {
    let shown = input.map(|Json(shown)| shown).unwrap_or_default();
    reauthentication::require_of_admin(&app, &caller, shown).await?;
    let change = UserChange {
        role: None,
        status: Some(Status::Inactive),
    };
    let deactivated = UserDeactivated {
        user_id: id,
        erase_at: None,
    };
    let mut attempts = Attempts::new(app.host.random());
    while attempts.next().await {
        let user = find_user(&app.store, id).await?;
        let Some(changed) = user.changed(change) else {
            return Ok(Reply::done(CLOSED));
        };
        let now = app.host.now();
        let events = [
            Envelope::new(&user_updated(&changed), app.host.stamp(now, &cause)),
            Envelope::new(&deactivated, app.host.stamp(now, &cause)),
        ];
        let outcome = app
            .store
            .change_role_or_status(&user, &changed, &events, keeps_last_admin(&caller))
            .await;
        match outcome {
            Ok(()) => return Ok(Reply::done(CLOSED)),
            Err(UpdateUserError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(UpdateUserError::Conflict.into())
}
