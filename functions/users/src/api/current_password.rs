//! Asking somebody who is signed in for the password, before what cannot be
//! undone or gives the account away.

use kernel::{Timestamp, input::FieldErrors};
use runtime::http::ApiError;

use crate::{
    domain::{Password, User},
    passwords::{self, Verdict},
    store::Store,
};

/// Requires the account's password. A wrong one counts like one at log-in:
/// whoever has found a device unlocked gets no more guesses than anybody else,
/// however many are sent at once, and the same reply while the address is
/// locked.
///
/// # Errors
/// 422 at `/currentPassword`.
pub(super) async fn require(
    store: &Store,
    user: &User,
    password: Option<Password>,
    now: Timestamp,
) -> Result<(), ApiError> {
    let refused = || FieldErrors::at("/currentPassword", "is not your password");
    let password = password.ok_or_else(refused)?;
    let email = user.email.as_str();
    let counted = store.begin_try(email, now).await?;
    let verdict = passwords::verify(password, Some(user.password_hash.clone())).await?;
    match counted {
        Some(counted) if verdict != Verdict::Wrong => {
            store.take_back(email, counted).await?;
            Ok(())
        }
        _ => Err(refused().into()),
    }
}
