//! Errors as a client sees them: RFC 9457 problem details. What is said
//! outside never holds a stack, a table's name or an SDK's message; those go
//! into the log line.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use kernel::input::{Refusal, Refusals};
use serde::Serialize;

use super::RequestInfo;
use crate::{Error, log};

/// What a client is told to wait when the store is not there, in seconds.
const RETRY_AFTER_SECONDS: u32 = 2;

/// A refusal or failure, with the status and the stable code of it.
#[derive(Debug)]
pub struct ApiError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    errors: Vec<Refusal>,
    retry_after: Option<u32>,
    service: Option<&'static str>,
    headers: Vec<(HeaderName, HeaderValue)>,
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
            headers: Vec::new(),
            source: None,
        }))
    }

    /// 401. `reason` is the authorizer's, such as `token_expired`.
    pub fn unauthenticated(reason: Option<&str>) -> Self {
        let (code, detail) = match reason {
            Some("token_expired") => ("token_expired", "the access token has expired"),
            Some("token_invalid") => ("token_invalid", "the access token is not valid"),
            Some("session_ended") => ("session_ended", "the session has ended"),
            Some("account_inactive") => ("account_inactive", "the account is not active"),
            Some("internal_key_invalid") => {
                ("internal_key_invalid", "the internal key is not valid")
            }
            _ => ("unauthenticated", "this needs an access token"),
        };
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 403: known, but not allowed.
    pub fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "you are not allowed to do this",
        )
    }

    /// 403: allowed, but not in a session that was made with a password alone.
    pub fn mfa_required() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "mfa_required",
            "this needs a session made with a second factor: turn one on with \
             POST /api/auth/mfa/enroll and /confirm, or log in again with its code",
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

    /// 422: the input reads, but something in it is not acceptable.
    pub fn validation(refusals: Refusals) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "validation_failed",
            "some of the input is not acceptable; see errors",
        )
        .with_errors(refusals.0)
    }

    /// 503: something that this needs does not answer.
    pub fn unavailable(retry_after_seconds: u32) -> Self {
        let mut error = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "service_unavailable",
            "something this needs does not answer; try again",
        );
        error.0.retry_after = Some(retry_after_seconds);
        error
    }

    /// 503 because the store failed; `source` is for the log.
    pub fn store(source: impl Into<Error>) -> Self {
        let mut error = Self::unavailable(RETRY_AFTER_SECONDS);
        error.0.source = Some(source.into());
        error
    }

    /// 500: a defect of ours; `source` is for the log.
    pub fn internal(source: impl Into<Error>) -> Self {
        let mut error = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "something went wrong on our side",
        );
        error.0.source = Some(source.into());
        error
    }

    /// The fields that are the reason.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<Refusal>) -> Self {
        self.0.errors = errors;
        self
    }

    /// When to come again, in seconds.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The service that is the reason.
    #[must_use]
    pub fn with_service(mut self, service: &'static str) -> Self {
        self.0.service = Some(service);
        self
    }

    /// A header of the reply.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// What is behind it, for the log.
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

impl From<Refusals> for ApiError {
    fn from(refusals: Refusals) -> Self {
        Self::validation(refusals)
    }
}

/// What the shell logs of an error.
#[derive(Clone, Debug)]
pub(super) struct ErrorLog {
    pub(super) code: &'static str,
    pub(super) source: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem<'a> {
    #[serde(rename = "type")]
    problem_type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    code: &'a str,
    request_id: &'a str,
    success: bool,
    #[serde(skip_serializing_if = "<[Refusal]>::is_empty")]
    errors: &'a [Refusal],
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let parts = *self.0;
        let request = RequestInfo::current();
        let problem = Problem {
            problem_type: format!("/problems/{}", parts.code),
            title: parts.status.canonical_reason().unwrap_or("Error"),
            status: parts.status.as_u16(),
            detail: &parts.detail,
            instance: &request.path,
            code: parts.code,
            request_id: &request.request_id,
            success: false,
            errors: &parts.errors,
            service: parts.service,
        };
        // A problem of plain strings always serialises.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (parts.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = parts.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        headers.extend(parts.headers);
        let source = parts.source.map(|source| log::chain(source.as_ref()));
        response.extensions_mut().insert(ErrorLog {
            code: parts.code,
            source,
        });
        response
    }
}
