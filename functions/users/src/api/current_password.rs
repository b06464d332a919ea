//! Asking somebody who is signed in for the password, before what cannot be
//! undone or gives the account away.

use kernel::{Timestamp, input::Refusals};
use runtime::http::ApiError;

use crate::{
    domain::{Password, User},
    passwords::{self, Verdict},
    store::Store,
};

/// Requires the account's password. A wrong one counts like one at log-in:
/// whoever has found a device unlocked gets no more guesses than anybody else,
/// and the same reply while the address is locked.
///
/// # Errors
/// 422 at `/currentPassword`.
pub(super) async fn require(
    store: &Store,
    user: &User,
    password: Option<Password>,
    now: Timestamp,
) -> Result<(), ApiError> {
    let refused = || Refusals::at("/currentPassword", "is not your password");
    let password = password.ok_or_else(refused)?;
    let attempts = store.attempts(user.email.as_str()).await?;
    let verdict = passwords::verify(password, Some(user.password_hash.clone())).await?;
    if verdict == Verdict::Wrong || attempts.is_locked(now) {
        store.count_failure(user.email.as_str(), now).await?;
        return Err(refused().into());
    }
    Ok(())
}
