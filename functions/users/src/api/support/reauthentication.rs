//! Asking a signed-in user again for what the account has, before changes that would
//! hand it over. An access token alone may be stolen.

use kernel::{
    Principal, Timestamp,
    input::{FieldErrors, Fields, FromInput, Value},
};
use runtime::http::{ApiError, Caller};

use super::{
    accounts::find_user,
    current_password,
    errors::{reauthentication_required, session_ended},
};
use crate::{
    app::App,
    credentials::second_factors::SecondFactors,
    domain::{Otp, Password, SecondFactor, User},
    store::Store,
};

/// What somebody shows again; needed when the session was begun too long ago.
#[derive(Debug, Default)]
pub(in crate::api) struct Reauthentication {
    pub(in crate::api) password: Option<Password>,
    pub(in crate::api) otp: Option<Otp>,
}

impl Reauthentication {
    /// From the fields `currentPassword` and `otp` of a body that may have others.
    pub(in crate::api) fn from_fields(fields: &mut Fields<'_>) -> Self {
        Self {
            password: fields.optional_with("currentPassword", Password::attempt),
            otp: fields.optional("otp"),
        }
    }
}

impl FromInput for Reauthentication {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let shown = Self::from_fields(&mut fields);
        fields.finish(|| Some(shown))
    }
}

/// Requires the same of an admin who changes somebody's account: a stolen access token
/// must not appoint admins or shut people out. A client with the internal key has nothing
/// else to show.
///
/// # Errors
/// Those of [`require`].
pub(in crate::api) async fn require_of_admin(
    app: &App<SecondFactors>,
    caller: &Caller,
    shown: Reauthentication,
) -> Result<(), ApiError> {
    let Caller::User(principal) = caller else {
        return Ok(());
    };
    let admin = find_user(&app.store, principal.user_id).await?;
    let now = app.host.now();
    require(
        &app.store,
        &app.credentials,
        principal,
        (&admin, shown),
        now,
    )
    .await
}

/// Requires the strongest that the account has: a code where there is a second factor,
/// the password elsewhere. What was shown when the session began counts for
/// [`crate::domain::FRESH_FOR`].
///
/// # Errors
/// 403 `reauthentication_required` when nothing was shown; 422 at `/currentPassword` or
/// `/otp`; 401 when the session has ended.
pub(in crate::api) async fn require(
    store: &Store,
    factors: &SecondFactors,
    caller: &Principal,
    (user, shown): (&User, Reauthentication),
    now: Timestamp,
) -> Result<(), ApiError> {
    if user.mfa_enabled {
        return require_factor(store, factors, caller, (user, shown.otp), now).await;
    }
    let is_fresh = is_fresh(store, caller, user, now).await?;
    match shown.password {
        None if is_fresh => Ok(()),
        None => Err(reauthentication_required()),
        password => current_password::require(store, caller, user, password, now).await,
    }
}

/// The same where the password has been asked for: nothing more, unless there is a
/// second factor.
pub(in crate::api) async fn require_factor(
    store: &Store,
    factors: &SecondFactors,
    caller: &Principal,
    (user, otp): (&User, Option<Otp>),
    now: Timestamp,
) -> Result<(), ApiError> {
    let is_fresh = is_fresh(store, caller, user, now).await?;
    if !user.mfa_enabled {
        return Ok(());
    }
    match otp {
        None if is_fresh => Ok(()),
        None => Err(reauthentication_required()),
        Some(otp) => use_code(store, factors, caller, (user, &otp), now).await,
    }
}

/// Whether the session was begun recently, with a second factor if there is one.
///
/// # Errors
/// 401 when it has ended since the authorizer read it.
async fn is_fresh(
    store: &Store,
    caller: &Principal,
    user: &User,
    now: Timestamp,
) -> Result<bool, ApiError> {
    let session = store.session(user.id, caller.session_id).await?;
    let session = session.filter(|session| session.is_live(user, now));
    let session = session.ok_or_else(session_ended)?;
    Ok(session.is_fresh(user, now))
}

/// Uses up a code. It counts as a failure until it turns out to be right, so that
/// guessing in parallel gains nothing.
async fn use_code(
    store: &Store,
    factors: &SecondFactors,
    caller: &Principal,
    (user, otp): (&User, &Otp),
    now: Timestamp,
) -> Result<(), ApiError> {
    let wrong = || FieldErrors::at("/otp", "is wrong or was used before");
    let email = user.email.as_str();
    let attempt = store.begin_attempt(email, caller.session_id, now).await?;
    let factor = store.second_factor(user.id).await?;
    let factor = factor.filter(SecondFactor::is_confirmed);
    let factor = factor.ok_or_else(wrong)?;
    let verified = factors.verify(&factor, otp, now)?;
    let (Some(attempt), Some(verified)) = (attempt, verified) else {
        return Err(wrong().into());
    };
    if !store.use_code(user.id, &factor, &verified).await? {
        return Err(wrong().into());
    }
    store.clear_attempt(attempt).await?;
    Ok(())
}
