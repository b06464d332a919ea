//! Errors as a client sees them: RFC 9457 problem details. None shows a stack,
//! the name of a table or the message of an SDK; those go into the log line.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use kernel::input::{FieldError, FieldErrors};

use super::draft::Draft;
use crate::{Error, Failure, call::CallError, log};

/// What a client is told to wait when the store does not answer, in seconds.
const RETRY_AFTER_SECONDS: u32 = 2;
/// The same when another service does not answer.
const RETRY_AFTER_CALL_SECONDS: u32 = 5;
/// The same while the first request with an idempotency key is in progress.
const RETRY_AFTER_IN_PROGRESS_SECONDS: u32 = 1;

/// An error with its status and its stable code.
#[derive(Debug)]
pub struct ApiError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    retry_after: Option<u32>,
    service: Option<&'static str>,
    headers: HeaderMap,
    source: Option<Error>,
}

impl ApiError {
    /// An error with a status, a code that never changes, and a sentence.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Parts {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            service: None,
            headers: HeaderMap::new(),
            source: None,
        }))
    }

    /// 401. `reason` is the authorizer's, such as `token_expired`.
    pub fn unauthenticated(reason: Option<&str>) -> Self {
        let (code, detail) = match reason {
            Some("token_expired") => ("token_expired", "the access token has expired"),
            Some("token_invalid") => ("token_invalid", "the access token is invalid"),
            Some("session_ended") => ("session_ended", "the session has ended"),
            Some("account_inactive") => ("account_inactive", "the account is not active"),
            Some("internal_key_invalid") => ("internal_key_invalid", "the internal key is invalid"),
            _ => ("unauthenticated", "this route requires an access token"),
        };
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 403: the request did not come through the edge. See [`super::Edge`].
    pub(super) fn edge_required() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "edge_required",
            "requests must be sent to the shop's public address, not to this one",
        )
    }

    /// 403: known, but not allowed.
    pub fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "you are not allowed to do this",
        )
    }

    /// 403: allowed, but not in a session that was begun with a password alone.
    pub fn mfa_required() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "mfa_required",
            "this requires a session that was begun with a second factor: enrol one with \
             POST /api/auth/mfa/enroll and /confirm if you have none, and log in with its code",
        )
    }

    /// 404, also for what belongs to somebody else. `what` is as in "order".
    pub fn not_found(what: &'static str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no such {what}"),
        )
    }

    /// 409, with a code that says which conflict.
    pub fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 422: the input can be parsed, but something in it is invalid.
    pub fn validation(errors: FieldErrors) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "validation_failed",
            "the request is invalid; see errors",
        )
        .with_errors(errors.0)
    }

    /// 503: something that this depends on does not answer.
    pub fn unavailable(retry_after_seconds: u32) -> Self {
        let mut error = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "service_unavailable",
            "a service that this depends on is unavailable; try again later",
        );
        error.0.retry_after = Some(retry_after_seconds);
        error
    }

    /// 422: the idempotency key stands for another body.
    pub fn idempotency_key_reused() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "this Idempotency-Key was used with a different body",
        )
    }

    /// 409: the first request with the idempotency key has not ended.
    pub fn idempotency_in_progress() -> Self {
        Self::conflict(
            "idempotency_in_progress",
            "the first request with this Idempotency-Key is still in progress",
        )
        .with_retry_after(RETRY_AFTER_IN_PROGRESS_SECONDS)
    }

    /// 429: over a rate limit, until so many seconds have passed.
    pub fn too_many_requests(
        retry_after_seconds: u32,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
            .with_retry_after(retry_after_seconds)
    }

    /// 500: a defect of ours; `source` is for the log.
    pub fn internal(source: impl Into<Error>) -> Self {
        let mut error = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "an unexpected error occurred",
        );
        error.0.source = Some(source.into());
        error
    }

    /// The invalid fields.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// When to try again, in seconds.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The service that caused it.
    #[must_use]
    pub fn with_service(mut self, service: &'static str) -> Self {
        self.0.service = Some(service);
        self
    }

    /// Headers of the reply.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.0.headers.extend(headers);
        self
    }

    /// A header of the reply.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// The underlying error, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Error>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.0.code
    }
}

impl From<FieldErrors> for ApiError {
    fn from(errors: FieldErrors) -> Self {
        Self::validation(errors)
    }
}

impl From<CallError> for ApiError {
    fn from(error: CallError) -> Self {
        Self::unavailable(RETRY_AFTER_CALL_SECONDS)
            .with_service(error.service())
            .with_source(error)
    }
}

/// The last resort for what no client can help: 500 for a defect, else 503.
impl<E: Failure> From<E> for ApiError {
    fn from(failure: E) -> Self {
        if failure.is_defect() {
            Self::internal(failure)
        } else {
            Self::unavailable(RETRY_AFTER_SECONDS).with_source(failure)
        }
    }
}

/// What the shell logs of an error.
#[derive(Clone, Debug)]
pub(super) struct ErrorLog {
    pub(super) code: &'static str,
    pub(super) source: Option<String>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let parts = *self.0;
        let mut headers = parts.headers;
        if let Some(seconds) = parts.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        let draft = Draft::Problem {
            code: parts.code,
            detail: parts.detail,
            errors: parts.errors,
            service: parts.service,
        };
        let mut response = draft.into_response(parts.status, headers);
        let source = parts.source.map(|source| log::error_chain(source.as_ref()));
        response.extensions_mut().insert(ErrorLog {
            code: parts.code,
            source,
        });
        response
    }
}
