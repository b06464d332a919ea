//! Closes the caller's own account, to be erased.

use std::sync::Arc;

use contracts::{Envelope, events::UserDeactivated};
use dynamo::{Attempts, RateLimit};
use kernel::{
    Cause, SignedDuration, Timestamp,
    input::{FieldErrors, FromInput, Value},
};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, SignedIn, State},
};
use serde::Serialize;

use super::support::{
    accounts::find_user, current_password, events::user_updated, rate_limits, reauthentication,
};
use crate::{
    app::App,
    credentials::second_factors::SecondFactors,
    domain::{Otp, Password, User},
    store::UpdateUserError,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "MfaSecret"),
];

/// Closings of one account, which logging in reopens: each sends notices. Only requests with
/// the right password count.
const CLOSINGS: RateLimit = RateLimit {
    name: "closings",
    requests: 5,
    window: SignedDuration::from_hours(24),
};

pub fn function() -> Function {
    Endpoint::new("close-account", Access::SignedIn, GRANTS)
        .post("/api/users/close", close_account)
        .start(App::start)
}

#[derive(Debug)]
struct CloseAccount {
    current: Password,
    otp: Option<Otp>,
}

impl FromInput for CloseAccount {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let current = fields.required_with("currentPassword", Password::attempt);
        let otp = fields.optional("otp");
        fields.finish(|| {
            Some(Self {
                current: current?,
                otp,
            })
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClosedView {
    erase_at: Timestamp,
}

/// Closes the account: every session ends, and an e-mail says until when logging in
/// reopens it. After that the user is erased in every service. Where there is a second
/// factor, it takes a code too, unless the session was begun with one a short while ago.
///
/// # Errors
/// 422 when the password or the code is wrong; 403 `reauthentication_required`; 429 for the
/// sixth closing in a day; 409 `last_admin` when no active admin would be left; 409
/// `user_changed` when all attempts met conflicts.
async fn close_account(
    State(app): State<Arc<App<SecondFactors>>>,
    caller: SignedIn,
    RequestCause(cause): RequestCause,
    Json(input): Json<CloseAccount>,
) -> Result<Reply, ApiError> {
    let user = find_user(&app.store, caller.user_id).await?;
    let now = app.host.now();
    current_password::require(&app.store, &caller, &user, Some(input.current), now).await?;
    let factor = (&user, input.otp);
    reauthentication::require_factor(&app.store, &app.credentials, &caller, factor, now).await?;
    let detail = "the account was closed too often; try again tomorrow";
    let key = user.id.to_string();
    let headers = rate_limits::enforce(&app.store, &CLOSINGS, &key, now, detail).await?;
    let reply = close(&app, user, now, &cause).await;
    rate_limits::with_headers(reply, headers)
}

async fn close(
    app: &App<SecondFactors>,
    mut user: User,
    now: Timestamp,
    cause: &Cause,
) -> Result<Reply, ApiError> {
    let epoch = user.session_epoch;
    let mut attempts = Attempts::new(app.host.random());
    while attempts.next().await {
        // Whatever ended the session since has ended the right to do this.
        let closed = user
            .closed(now, app.settings.account_grace)
            .filter(|_| user.session_epoch == epoch);
        let closed = closed.ok_or_else(|| ApiError::unauthenticated(Some("session_ended")))?;
        let deactivated = UserDeactivated {
            user_id: user.id,
            erase_at: closed.erase_at,
        };
        let events = [
            Envelope::new(&user_updated(&closed), app.host.stamp(now, cause)),
            Envelope::new(&deactivated, app.host.stamp(now, cause)),
        ];
        match app
            .store
            .change_role_or_status(&user, &closed, &events, true)
            .await
        {
            Ok(()) => {
                let erase_at = closed.erase_at.unwrap_or(now);
                return Ok(Reply::ok("the account is closed", &ClosedView { erase_at }));
            }
            Err(UpdateUserError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        user = find_user(&app.store, user.id).await?;
    }
    Err(UpdateUserError::Conflict.into())
}
