//! Where the service's errors become HTTP.

use http::{HeaderValue, StatusCode, header};
use kernel::input::Refusals;
use runtime::{SealedError, http::ApiError};

use crate::{
    passwords::PasswordError,
    store::{
        ChangePasswordError, RefreshSessionError, RegisterUserError, StoreLogInError,
        UpdateUserError, UseProofError,
    },
    tokens::{RandomError, SignError},
};

/// 401, the same for an unknown address, a wrong password, a locked address
/// and an account that is not active.
pub(super) fn invalid_credentials() -> ApiError {
    unauthorized(
        "invalid_credentials",
        "the e-mail address or the password is wrong",
    )
}

/// 401, the same for whatever is wrong with a refresh token.
pub(super) fn invalid_refresh_token() -> ApiError {
    unauthorized(
        "invalid_refresh_token",
        "the refresh token is not valid any more",
    )
}

fn unauthorized(code: &'static str, detail: &'static str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, code, detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// 422, the same for whatever is wrong with a token from a mail.
pub(super) fn invalid_mail_token() -> ApiError {
    let detail = "the token was used, is too old, or is none of ours; ask for a new mail";
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_token", detail)
        .with_errors(Refusals::at("/token", "is not good (any more)").0)
}

impl From<UseProofError> for ApiError {
    fn from(error: UseProofError) -> Self {
        match error {
            UseProofError::Spent => invalid_mail_token(),
            UseProofError::EmailTaken => RegisterUserError::EmailTaken.into(),
            UseProofError::Conflict => UpdateUserError::Conflict.into(),
            UseProofError::Store(error) => error.into(),
        }
    }
}

impl From<ChangePasswordError> for ApiError {
    fn from(error: ChangePasswordError) -> Self {
        match error {
            ChangePasswordError::Conflict => UpdateUserError::Conflict.into(),
            ChangePasswordError::SessionEnded => Self::unauthenticated(Some("session_ended")),
            ChangePasswordError::Store(error) => error.into(),
        }
    }
}

impl From<RegisterUserError> for ApiError {
    fn from(error: RegisterUserError) -> Self {
        match error {
            RegisterUserError::EmailTaken => Self::conflict(
                "email_taken",
                "there is an account with this e-mail address",
            ),
            RegisterUserError::Store(error) => error.into(),
        }
    }
}

impl From<StoreLogInError> for ApiError {
    fn from(error: StoreLogInError) -> Self {
        match error {
            StoreLogInError::Locked | StoreLogInError::Changed => invalid_credentials(),
            StoreLogInError::Store(error) => error.into(),
        }
    }
}

impl From<RefreshSessionError> for ApiError {
    fn from(error: RefreshSessionError) -> Self {
        match error {
            RefreshSessionError::Superseded => invalid_refresh_token(),
            RefreshSessionError::Store(error) => error.into(),
        }
    }
}

impl From<UpdateUserError> for ApiError {
    fn from(error: UpdateUserError) -> Self {
        match error {
            UpdateUserError::Conflict => {
                Self::conflict("user_changed", "others keep changing this user; try again")
            }
            UpdateUserError::LastAdmin => Self::conflict(
                "last_admin",
                "this is the last active admin; make another one first",
            ),
            UpdateUserError::Store(error) => error.into(),
        }
    }
}

macro_rules! defects {
    ($($error:ty),+) => {$(
        impl From<$error> for ApiError {
            fn from(error: $error) -> Self {
                Self::internal(error)
            }
        }
    )+};
}

// What no client can cause or mend.
defects!(PasswordError, RandomError, SignError);

/// The same for an error of another crate, for which there can be no `From`.
pub(super) fn not_sealed(error: SealedError) -> ApiError {
    ApiError::internal(error)
}
