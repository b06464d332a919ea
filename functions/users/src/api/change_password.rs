//! Sets a new password for a caller who knows the current one.

use std::sync::Arc;

use contracts::Envelope;
use dynamo::RateLimit;
use kernel::{
    SignedDuration,
    input::{FieldErrors, FromInput, Value},
};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, SignedIn, State},
};

use super::support::{
    accounts::find_user, current_password, events::password_changed, rate_limits, reauthentication,
};
use crate::{
    app::App,
    credentials::{passwords, second_factors::SecondFactors},
    domain::{Otp, Password},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "MfaSecret"),
];

/// Changes of the password of one user: each hashes, and sends a notice. Only requests with
/// the right password count.
const PASSWORD_CHANGES: RateLimit = RateLimit {
    name: "password-changes",
    requests: 5,
    window: SignedDuration::from_hours(1),
};

pub fn function() -> Function {
    Endpoint::new("change-password", Access::SignedIn, GRANTS)
        .put("/api/users/password", change_password)
        .start(App::start_with_password_rules)
}

#[derive(Debug)]
struct ChangePassword {
    current: Password,
    new: Password,
    otp: Option<Otp>,
}

impl FromInput for ChangePassword {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let current = fields.required_with("currentPassword", Password::attempt);
        let new = fields.required("newPassword");
        let otp = fields.optional("otp");
        fields.finish(|| {
            Some(Self {
                current: current?,
                new: new?,
                otp,
            })
        })
    }
}

/// Sets a new password and ends the user's other sessions. Where there is a second
/// factor, it takes a code too, unless the session was begun with one a short while ago.
///
/// # Errors
/// 422 when the current password or the code is wrong, or the new password
/// unacceptable; 403 `reauthentication_required`; 429 for the sixth change in an hour; 409
/// `user_changed` when the account was changed concurrently.
async fn change_password(
    State(app): State<Arc<App<SecondFactors>>>,
    caller: SignedIn,
    RequestCause(cause): RequestCause,
    Json(input): Json<ChangePassword>,
) -> Result<Reply, ApiError> {
    let user = find_user(&app.store, caller.user_id).await?;
    let is_same = input.new.as_bytes() == input.current.as_bytes();
    let mut known_words = user.known_words();
    known_words.push(&app.settings.shop_name);
    let new = input.new.require_strong_at("/newPassword", &known_words)?;
    let now = app.host.now();
    current_password::require(&app.store, &caller, &user, Some(input.current), now).await?;
    let factor = (&user, input.otp);
    reauthentication::require_factor(&app.store, &app.credentials, &caller, factor, now).await?;
    if is_same {
        let detail = "must differ from the current password";
        return Err(FieldErrors::at("/newPassword", detail).into());
    }
    let detail = "too many changes of the password; try again later";
    let key = user.id.to_string();
    let headers = rate_limits::enforce(&app.store, &PASSWORD_CHANGES, &key, now, detail).await?;
    let password_hash = passwords::hash(new, app.host.random()).await?;
    let changed = user.with_password(password_hash);
    let event = Envelope::new(&password_changed(&user), app.host.stamp(now, &cause));
    let stored = app
        .store
        .change_password(caller.session_id, &user, &changed, &event)
        .await;
    let reply = stored.map(|()| Reply::done("the password is changed"));
    rate_limits::with_headers(reply.map_err(ApiError::from), headers)
}
