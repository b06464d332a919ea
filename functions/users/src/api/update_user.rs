//! Changes a person's role or status.

use std::sync::Arc;

use contracts::{
    Envelope,
    events::{Preferences, UserUpdated},
};
use kernel::UserId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Caller, Endpoint, Id, Json, Reply, RequestCause, State},
};

use super::{TRIES_MAX, views::UserView};
use crate::{
    app::App,
    domain::{User, UserChange},
    store::UpdateUserError,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
];

/// The function `update-user`.
pub fn function() -> Function {
    endpoint().start(App::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<App>> {
    Endpoint::new("update-user", Access::AdminOrInternal, GRANTS)
        .patch("/api/users/{id}", update_user)
}

/// Changes a person's role or status, effective with the person's next
/// request, and announces it as [`UserUpdated`] in the same write. Doing it
/// again changes and announces nothing.
///
/// # Errors
/// 404; 409 `user_changed` when others keep changing the same user; 409
/// `last_admin` when a person would leave the shop without one; 422.
pub async fn update_user(
    State(app): State<Arc<App>>,
    Id(id): Id<UserId>,
    caller: Caller,
    RequestCause(cause): RequestCause,
    Json(change): Json<UserChange>,
) -> Result<Reply, ApiError> {
    for _ in 0..TRIES_MAX {
        let user = app.store.user(id).await?;
        let user = user.ok_or_else(|| ApiError::not_found("user"))?;
        let Some(changed) = user.changed(change) else {
            return Ok(Reply::ok("nothing to change", &UserView::from(&user)));
        };
        let updated = Envelope::new(&announcement(&changed), app.clock.now(), &cause);
        match app
            .store
            .change_standing(&user, &changed, &[updated], keep_one(&caller))
            .await
        {
            Ok(()) => return Ok(Reply::ok("user changed", &UserView::from(&changed))),
            Err(UpdateUserError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(UpdateUserError::Conflict.into())
}

/// Whether the last admin has to stay: so that people cannot lock themselves
/// out. A machine client with the internal key can always make another one.
pub(super) fn keep_one(caller: &Caller) -> bool {
    !matches!(caller, Caller::Internal)
}

/// What is said of an account that is different now.
pub(super) fn announcement(user: &User) -> UserUpdated {
    let preferences = user.profile.preferences;
    UserUpdated {
        user_id: user.id,
        email: user.email.as_str().to_owned(),
        name: user.name.as_str().to_owned(),
        role: user.role.as_str().to_owned(),
        status: user.status.as_str().to_owned(),
        preferences: Some(Preferences {
            email: preferences.email,
            sms: preferences.sms,
            push: preferences.push,
            marketing: preferences.marketing,
        }),
    }
}
