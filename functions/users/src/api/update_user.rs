//! Changes a user's role or status.

use std::sync::Arc;

use contracts::Envelope;
use dynamo::Attempts;
use kernel::{
    UserId,
    input::{FieldErrors, FromInput, Value},
};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Caller, Endpoint, Id, Json, Reply, RequestCause, State},
};

use super::support::{
    accounts::{find_user, keeps_last_admin},
    events::user_updated,
    reauthentication::{self, Reauthentication},
    views::UserView,
};
use crate::{
    app::App, credentials::second_factors::SecondFactors, domain::UserChange,
    store::UpdateUserError,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "MfaSecret"),
];

pub fn function() -> Function {
    Endpoint::new("update-user", Access::AdminOrInternal, GRANTS)
        .patch("/api/users/{id}", update_user)
        .start(App::start)
}

#[derive(Debug)]
struct UpdateUser {
    change: UserChange,
    shown: Reauthentication,
}

impl FromInput for UpdateUser {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let (role, status) = UserChange::fields(&mut fields);
        let shown = Reauthentication::from_fields(&mut fields);
        let change = fields.finish(|| Some(UserChange { role, status }))?;
        let change = change.require_any()?;
        Ok(Self { change, shown })
    }
}

/// Changes a user's role or status, effective with the user's next request, and
/// announces [`contracts::events::UserUpdated`] in the same transaction. Repeating the
/// request changes and announces nothing. For a change, an admin is asked again for what
/// their own account has.
///
/// # Errors
/// 404; 403 `reauthentication_required` and what else [`reauthentication::require`]
/// refuses; 409 `last_admin` when no active admin would be left, unless the caller has the
/// internal key; 409 `user_changed` when all attempts met conflicts; 422.
async fn update_user(
    State(app): State<Arc<App<SecondFactors>>>,
    Id(id): Id<UserId>,
    caller: Caller,
    RequestCause(cause): RequestCause,
    Json(UpdateUser { change, shown }): Json<UpdateUser>,
) -> Result<Reply, ApiError> {
    // Asked for once: a code works once.
    let mut to_show = Some(shown);
    let mut attempts = Attempts::new(app.host.random());
    while attempts.next().await {
        let user = find_user(&app.store, id).await?;
        let Some(changed) = user.changed(change) else {
            return Ok(Reply::ok("nothing to change", &UserView::from(&user)));
        };
        if let Some(shown) = to_show.take() {
            reauthentication::require_of_admin(&app, &caller, shown).await?;
        }
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
