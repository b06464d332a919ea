//! Sets a new password for whoever knows the old one.

use std::sync::Arc;

use contracts::{Envelope, events::UserPasswordChanged};
use kernel::input::{FromInput, FieldErrors, Value};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, SignedIn, State},
};

use super::current_password;
use crate::{app::App, domain::Password, passwords};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
];

/// The function `change-password`.
pub fn function() -> Function {
    endpoint().start(App::start_judging_passwords)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<App>> {
    Endpoint::new("change-password", Access::SignedIn, GRANTS)
        .put("/api/users/password", change_password)
}

/// The password as it is, and as it is to be.
#[derive(Debug)]
pub struct ChangePassword {
    current: Password,
    new: Password,
}

impl FromInput for ChangePassword {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let current = fields.required_with("currentPassword", Password::attempt);
        let new = fields.required("newPassword");
        fields.finish(|| {
            Some(Self {
                current: current?,
                new: new?,
            })
        })
    }
}

/// Sets a new password and ends the person's other sessions; this one goes on.
///
/// # Errors
/// 422 when the current password is wrong, or the new one not acceptable; 409
/// `user_changed` when the account was changed meanwhile.
pub async fn change_password(
    State(app): State<Arc<App>>,
    person: SignedIn,
    RequestCause(cause): RequestCause,
    Json(input): Json<ChangePassword>,
) -> Result<Reply, ApiError> {
    let user = app.store.user(person.user_id).await?;
    let user = user.ok_or_else(|| ApiError::not_found("user"))?;
    let same = input.new.as_bytes() == input.current.as_bytes();
    let new = input.new.strong_at("/newPassword", &user.known_words())?;
    let now = app.clock.now();
    current_password::require(&app.store, &user, Some(input.current), now).await?;
    if same {
        let wrong = FieldErrors::at("/newPassword", "must be another one than now");
        return Err(wrong.into());
    }
    let changed = user.with_password(passwords::hash(new).await?);
    let announced = UserPasswordChanged {
        user_id: user.id,
        email: user.email.as_str().to_owned(),
    };
    let announced = Envelope::new(&announced, now, &cause);
    app.store
        .change_password(person.session_id, &user, &changed, &announced)
        .await?;
    Ok(Reply::done("the password is changed"))
}
