//! Asking a signed-in user for the password, before changes that cannot be undone or
//! would hand over the account.

use kernel::{Timestamp, input::FieldErrors};
use runtime::http::ApiError;

use crate::{
    credentials::passwords::{self, PasswordCheck},
    domain::{Password, User},
    store::Store,
};

/// Requires the account's password. A wrong one counts as a failure to log in, and
/// the error is the same while the address is locked: whoever has found an unlocked
/// device gets no more guesses than anybody else, in parallel or not.
///
/// # Errors
/// 422 at `/currentPassword`.
pub(in crate::api) async fn require(
    store: &Store,
    user: &User,
    password: Option<Password>,
    now: Timestamp,
) -> Result<(), ApiError> {
    let wrong = || FieldErrors::at("/currentPassword", "is not your password");
    let password = password.ok_or_else(wrong)?;
    let email = user.email.as_str();
    let attempt = store.begin_attempt(email, now).await?;
    let check = passwords::verify(password, Some(user.password_hash.clone())).await?;
    match attempt {
        Some(attempt) if check != PasswordCheck::Mismatch => {
            store.clear_attempt(email, attempt).await?;
            Ok(())
        }
        _ => Err(wrong().into()),
    }
}
