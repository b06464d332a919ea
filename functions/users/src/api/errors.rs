//! Where the service's errors become HTTP.

use http::{HeaderValue, StatusCode, header};
use kernel::input::FieldErrors;
use runtime::{SealedError, http::ApiError};

use crate::{
    factors::FactorError,
    passwords::PasswordError,
    store::{
        ChangePasswordError, EnrolFactorError, RefreshSessionError, RegisterUserError,
        RemoveFactorError, StoreLogInError, UpdateUserError, UseProofError,
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

/// 401: the password is right, and a second factor has to be shown as well.
pub(super) fn mfa_missing() -> ApiError {
    unauthorized(
        "mfa_required",
        "the password is right; log in again with it and otp, the code of the authenticator app",
    )
}

/// 401, the same for a code that is wrong and one that was used before.
pub(super) fn invalid_otp() -> ApiError {
    unauthorized(
        "invalid_otp",
        "the code is wrong, or was used before; each is good once",
    )
}

/// 409: there is no second factor to confirm or to turn off.
pub(super) fn mfa_not_enrolled() -> ApiError {
    ApiError::conflict(
        "mfa_not_enrolled",
        "there is no second factor here; begin with POST /api/auth/mfa/enroll",
    )
}

/// 422, the same for a code that is wrong, one that was used before, and any
/// while the address is locked.
pub(super) fn wrong_code() -> ApiError {
    let detail = "is wrong, or was used before; after too many wrong ones, wait 15 minutes";
    FieldErrors::at("/code", detail).into()
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
        .with_errors(FieldErrors::at("/token", "is not good (any more)").0)
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

impl From<EnrolFactorError> for ApiError {
    fn from(error: EnrolFactorError) -> Self {
        match error {
            EnrolFactorError::AlreadyOn => Self::conflict(
                "mfa_enabled",
                "there is a second factor already; turn it off to have another one",
            ),
            EnrolFactorError::Changed => UpdateUserError::Conflict.into(),
            EnrolFactorError::SessionEnded => Self::unauthenticated(Some("session_ended")),
            EnrolFactorError::Store(error) => error.into(),
        }
    }
}

impl From<RemoveFactorError> for ApiError {
    fn from(error: RemoveFactorError) -> Self {
        match error {
            RemoveFactorError::Locked => wrong_code(),
            RemoveFactorError::Changed => UpdateUserError::Conflict.into(),
            RemoveFactorError::Store(error) => error.into(),
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
defects!(FactorError, PasswordError, RandomError, SignError);

/// The same for an error of another crate, for which there can be no `From`.
pub(super) fn not_sealed(error: SealedError) -> ApiError {
    ApiError::internal(error)
}
