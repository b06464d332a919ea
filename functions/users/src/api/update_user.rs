//! Changes a user's role or status.

use std::sync::Arc;

use contracts::Envelope;
use dynamo::Attempts;
use kernel::UserId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Caller, Endpoint, Id, Json, Reply, RequestCause, State},
};

use super::support::{
    accounts::{find_user, keeps_last_admin},
    events::user_updated,
    views::UserView,
};
use crate::{app::App, domain::UserChange, store::UpdateUserError};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
];

pub fn function() -> Function {
    Endpoint::new("update-user", Access::AdminOrInternal, GRANTS)
        .patch("/api/users/{id}", update_user)
        .start(App::start)
}

/// Changes a user's role or status, effective with the user's next request, and
/// announces [`contracts::events::UserUpdated`] in the same transaction. Repeating the
/// request changes and announces nothing.
///
/// # Errors
/// 404; 409 `last_admin` when no active admin would be left, unless the caller has the
/// internal key; 409 `user_changed` when all attempts met conflicts; 422.
async fn update_user(
    State(app): State<Arc<App>>,
    Id(id): Id<UserId>,
    caller: Caller,
    RequestCause(cause): RequestCause,
    Json(change): Json<UserChange>,
) -> Result<Reply, ApiError> {
    let mut attempts = Attempts::new(app.host.random());
    while attempts.next().await {
        let user = find_user(&app.store, id).await?;
        let Some(changed) = user.changed(change) else {
            return Ok(Reply::ok("nothing to change", &UserView::from(&user)));
        };
        let stamp = app.host.stamp(app.host.now(), &cause);
        let updated = Envelope::new(&user_updated(&changed), stamp);
        match app
            .store
            .change_role_or_status(&user, &changed, &[updated], keeps_last_admin(&caller))
            .await
        {
            Ok(()) => return Ok(Reply::ok("user changed", &UserView::from(&changed))),
            Err(UpdateUserError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(UpdateUserError::Conflict.into())
}
