//! Closes somebody's account.

use std::sync::Arc;

use contracts::{Envelope, events::UserDeactivated};
use kernel::UserId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Caller, Endpoint, Id, Reply, RequestCause, State},
};

use super::{
    TRIES_MAX,
    update_user::{announcement, keep_one},
};
use crate::{
    app::App,
    domain::{Status, UserChange},
    store::UpdateUserError,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
];

/// The function `delete-user`.
pub fn function() -> Function {
    endpoint().start(App::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<App>> {
    Endpoint::new("delete-user", Access::AdminOrInternal, GRANTS)
        .delete("/api/users/{id}", delete_user)
}

/// Closes an account: it is `inactive`, its sessions are over at once, and
/// nobody can log in until an admin sets it to `active` again. What the shop
/// knows of the person stays. Doing it again changes and announces nothing.
///
/// # Errors
/// 404; 409 `last_admin` when a person would leave the shop without one; 409
/// `user_changed` when others keep changing the same user.
pub async fn delete_user(
    State(app): State<Arc<App>>,
    Id(id): Id<UserId>,
    caller: Caller,
    RequestCause(cause): RequestCause,
) -> Result<Reply, ApiError> {
    let change = UserChange {
        role: None,
        status: Some(Status::Inactive),
    };
    for _ in 0..TRIES_MAX {
        let user = app.store.user(id).await?;
        let user = user.ok_or_else(|| ApiError::not_found("user"))?;
        let Some(changed) = user.changed(change) else {
            return Ok(Reply::done("the account is closed"));
        };
        let now = app.clock.now();
        let events = [
            Envelope::new(&announcement(&changed), now, &cause),
            Envelope::new(
                &UserDeactivated {
                    user_id: id,
                    erase_at: None,
                },
                now,
                &cause,
            ),
        ];
        let outcome = app
            .store
            .change_standing(&user, &changed, &events, keep_one(&caller))
            .await;
        match outcome {
            Ok(()) => return Ok(Reply::done("the account is closed")),
            Err(UpdateUserError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(UpdateUserError::Conflict.into())
}
