//! Asking a signed-in user for the password, before changes that cannot be undone or
//! would hand over the account.

use kernel::{Principal, Timestamp, input::FieldErrors};
use runtime::http::ApiError;

use crate::{
    credentials::passwords::{self, PasswordCheck},
    domain::{Password, User},
    store::Store,
};

/// Requires the account's password. A wrong one counts as a failure of the session, and
/// the error is the same while that is locked: whoever has found an unlocked
/// device gets no more guesses than anybody else, in parallel or not, and strangers who
/// guess elsewhere do not get in its owner's way.
///
/// # Errors
/// 422 at `/currentPassword`.
pub(in crate::api) async fn require(
    store: &Store,
    caller: &Principal,
    user: &User,
    password: Option<Password>,
    now: Timestamp,
) -> Result<(), ApiError> {
    let password = password.ok_or_else(wrong)?;
    let email = user.email.as_str();
    let attempt = store.begin_attempt(email, caller.session_id, now).await?;
    let check = passwords::verify(password, Some(user.password_hash.clone())).await?;
    match attempt {
        Some(attempt) if check != PasswordCheck::Mismatch => {
            store.clear_attempt(attempt).await?;
            Ok(())
        }
        _ => Err(wrong()),
    }
}

/// The same for somebody without a session: a wrong one counts as at login, for their
/// network and for all unknown devices, and the error is the same while those are locked.
/// Nothing is hashed then.
///
/// # Errors
/// 422 at `/currentPassword`.
pub(in crate::api) async fn require_from_network(
    store: &Store,
    network: &str,
    user: &User,
    password: Password,
    now: Timestamp,
) -> Result<(), ApiError> {
    let email = user.email.as_str();
    let attempt = store.begin_guess(email, network, now).await?;
    let attempt = attempt.ok_or_else(wrong)?;
    let hash = Some(user.password_hash.clone());
    if passwords::verify(password, hash).await? == PasswordCheck::Mismatch {
        return Err(wrong());
    }
    for counted in attempt {
        store.clear_attempt(counted).await?;
    }
    Ok(())
}

fn wrong() -> ApiError {
    FieldErrors::at("/currentPassword", "is not your password").into()
}
