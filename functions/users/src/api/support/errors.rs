//! Where the service's errors become HTTP.

use http::{HeaderValue, header};
use kernel::input::FieldErrors;
use runtime::{
    Failure,
    http::{ApiError, StatusCode},
};

use crate::{
    credentials::{passwords::PasswordError, second_factors::FactorError, tokens::SignError},
    domain::ChangeAddressesError,
    store::{
        ChangePasswordError, EnrolFactorError, RefreshSessionError, RegisterUserError,
        RemoveFactorError, StoreAddressesError, StoreLogInError, UpdateUserError, UseTokenError,
    },
};

/// 401, the same for an unknown address, a wrong password, a locked device or network and
/// an account that may not be used.
pub(in crate::api) fn invalid_credentials() -> ApiError {
    unauthorized(
        "invalid_credentials",
        "the e-mail address or the password is wrong",
    )
}

/// 401: the password is right, and a second factor is required as well.
pub(in crate::api) fn missing_otp() -> ApiError {
    unauthorized(
        "mfa_required",
        "the password is right; log in again with it and otp, the code of the authenticator app",
    )
}

/// 401, the same for a code that is wrong and one that was used before.
pub(in crate::api) fn invalid_otp() -> ApiError {
    unauthorized("invalid_otp", "the code is wrong or was used before")
}

/// 401, whatever is wrong with the token.
pub(in crate::api) fn invalid_refresh_token() -> ApiError {
    unauthorized(
        "invalid_refresh_token",
        "the refresh token is invalid or has expired",
    )
}

fn unauthorized(code: &'static str, detail: &'static str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, code, detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// 403: allowed, after showing again what the account has.
pub(in crate::api) fn reauthentication_required() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "reauthentication_required",
        "send currentPassword or, with a second factor, otp; or log in again within the last \
         five minutes",
    )
}

/// 401: the session ended after the authorizer had read it.
pub(in crate::api) fn session_ended() -> ApiError {
    ApiError::unauthenticated(Some("session_ended"))
}

/// 403: the caller may not be the one who reads the mailbox.
pub(in crate::api) fn email_unverified() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "email_unverified",
        "verify your e-mail address while you are signed in: request an e-mail with \
         POST /api/auth/resend-verification, and send its token with your access token",
    )
}

/// 409: there is no second factor to confirm or to disable.
pub(in crate::api) fn mfa_not_enrolled() -> ApiError {
    ApiError::conflict(
        "mfa_not_enrolled",
        "no second factor is enrolled; begin with POST /api/auth/mfa/enroll",
    )
}

/// 422, the same for a code that is wrong, one that was used before, and any while
/// the session is locked.
pub(in crate::api) fn wrong_code() -> ApiError {
    let detail = "is wrong or was used before; after too many wrong codes, wait 15 minutes";
    FieldErrors::at("/code", detail).into()
}

/// The code of [`invalid_mail_token`].
pub(in crate::api) const INVALID_TOKEN: &str = "invalid_token";

/// 422, whatever is wrong with the token of an e-mail.
pub(in crate::api) fn invalid_mail_token() -> ApiError {
    let detail = "the token is invalid or has expired; request a new e-mail";
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, INVALID_TOKEN, detail)
        .with_errors(FieldErrors::at("/token", "is invalid or has expired").0)
}

impl From<UseTokenError> for ApiError {
    fn from(error: UseTokenError) -> Self {
        match error {
            UseTokenError::Invalid => invalid_mail_token(),
            UseTokenError::EmailTaken => RegisterUserError::EmailTaken.into(),
            UseTokenError::Conflict => UpdateUserError::Conflict.into(),
            UseTokenError::Store(error) => error.into(),
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
            EnrolFactorError::AlreadyEnabled => Self::conflict(
                "mfa_enabled",
                "a second factor is already enabled; disable it before enrolling another",
            ),
            EnrolFactorError::Locked => wrong_code(),
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
                "an account with this e-mail address already exists",
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
            UpdateUserError::Conflict => Self::conflict(
                "user_changed",
                "the user is being changed by other requests; try again",
            ),
            UpdateUserError::LastAdmin => Self::conflict(
                "last_admin",
                "this is the last active admin; appoint another one first",
            ),
            UpdateUserError::Store(error) => error.into(),
        }
    }
}

impl From<ChangeAddressesError> for ApiError {
    fn from(error: ChangeAddressesError) -> Self {
        match error {
            ChangeAddressesError::Unknown => Self::not_found("address"),
            ChangeAddressesError::Full => Self::conflict("too_many_addresses", error.to_string()),
        }
    }
}

impl From<StoreAddressesError> for ApiError {
    fn from(error: StoreAddressesError) -> Self {
        match error {
            StoreAddressesError::Conflict => Self::conflict(
                "addresses_changed",
                "the address book is being changed by other requests; try again",
            ),
            StoreAddressesError::Store(error) => error.into(),
        }
    }
}

macro_rules! defects {
    ($($error:ty),+) => {$(
        impl Failure for $error {
            fn is_defect(&self) -> bool {
                true
            }
        }
    )+};
}

defects!(FactorError, PasswordError, SignError);
