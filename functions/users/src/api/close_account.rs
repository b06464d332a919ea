//! Closes the caller's own account, to be erased.

use std::sync::Arc;

use contracts::{Envelope, events::UserDeactivated};
use dynamo::Table;
use kernel::{
    Clock, SignedDuration, Timestamp,
    input::{FromInput, FieldErrors, Value},
};
use runtime::{
    Environment, Error, Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, SignedIn, State},
};
use serde::Serialize;

use super::{TRIES_MAX, current_password, update_user::announcement};
use crate::{
    domain::{GRACE_DAYS, Password, days},
    store::{Store, UpdateUserError},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
];

/// What closing needs.
pub struct Closer {
    store: Store,
    clock: Clock,
    grace: SignedDuration,
}

impl Closer {
    /// From its parts; people can come back for `grace`.
    pub fn new(store: impl Into<Store>, clock: Clock, grace: SignedDuration) -> Self {
        Self {
            store: store.into(),
            clock,
            grace,
        }
    }

    /// From the environment: `TABLE`, `ACCOUNT_GRACE_DAYS`.
    ///
    /// # Errors
    /// When a variable is missing or does not read.
    async fn start(environment: Environment, clock: Clock) -> Result<Arc<Self>, Error> {
        let expected = "a whole number of days";
        let grace = environment.parse_or("ACCOUNT_GRACE_DAYS", GRACE_DAYS, expected)?;
        let table = Table::open(&environment).await?;
        Ok(Arc::new(Self::new(table, clock, days(grace))))
    }
}

/// The function `close-account`.
pub fn function() -> Function {
    function_at(Clock::System)
}

/// The same with a clock of one's own.
pub fn function_at(clock: Clock) -> Function {
    endpoint().start(move |environment| Closer::start(environment, clock.clone()))
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<Closer>> {
    Endpoint::new("close-account", Access::SignedIn, GRANTS).post("/api/users/close", close_account)
}

/// The password of whoever means it.
#[derive(Debug)]
pub struct CloseAccount {
    current: Password,
}

impl FromInput for CloseAccount {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let current = fields.required_with("currentPassword", Password::attempt);
        fields.finish(|| Some(Self { current: current? }))
    }
}

/// When it is going to be erased.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClosedView {
    erase_at: Timestamp,
}

/// Closes the account: every session ends, this one too, and a mail says until
/// when logging in brings it back. Then the person is erased everywhere, and
/// nothing does.
///
/// # Errors
/// 422 when the password is wrong; 409 `last_admin` when the shop would be
/// left without one; 409 `user_changed` when others keep changing the account.
pub async fn close_account(
    State(app): State<Arc<Closer>>,
    person: SignedIn,
    RequestCause(cause): RequestCause,
    Json(input): Json<CloseAccount>,
) -> Result<Reply, ApiError> {
    let user = app.store.user(person.user_id).await?;
    let mut user = user.ok_or_else(|| ApiError::not_found("user"))?;
    let now = app.clock.now();
    current_password::require(&app.store, &user, Some(input.current), now).await?;
    let epoch = user.session_epoch;
    for _ in 0..TRIES_MAX {
        // Whatever ended the session meanwhile ended the right to do this.
        let closed = user
            .closed(now, app.grace)
            .filter(|_| user.session_epoch == epoch);
        let closed = closed.ok_or_else(|| ApiError::unauthenticated(Some("session_ended")))?;
        let erase_at = closed.erase_at.unwrap_or(now);
        let deactivated = UserDeactivated {
            user_id: user.id,
            erase_at: closed.erase_at,
        };
        let events = [
            Envelope::new(&announcement(&closed), now, &cause),
            Envelope::new(&deactivated, now, &cause),
        ];
        match app
            .store
            .change_standing(&user, &closed, &events, true)
            .await
        {
            Ok(()) => return Ok(Reply::ok("the account is closed", &ClosedView { erase_at })),
            Err(UpdateUserError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        let found = app.store.user(person.user_id).await?;
        user = found.ok_or_else(|| ApiError::not_found("user"))?;
    }
    Err(UpdateUserError::Conflict.into())
}
