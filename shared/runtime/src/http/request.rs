//! What is known of a request before anything is read from it.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};
use kernel::Cause;
use lambda_http::{RequestExt, request::RequestContext};
use uuid::Uuid;

use super::{ApiError, Caller};

/// The longest id that is taken from a client.
const ID_LENGTH_MAX: usize = 128;

tokio::task_local! {
    pub(super) static CURRENT: Arc<RequestInfo>;
}

/// A request's ids and path.
#[derive(Debug, Default)]
pub struct RequestInfo {
    /// Names this request: taken from `X-Request-Id`, or made.
    pub request_id: String,
    /// Names the whole chain: taken from `X-Correlation-Id`, or the request's id.
    pub correlation_id: String,
    /// The path, without the query.
    pub path: String,
    reply_headers: Mutex<Vec<(HeaderName, HeaderValue)>>,
}

impl RequestInfo {
    pub(super) fn of(headers: &HeaderMap, path: &str) -> Self {
        let taken = |name: &str| {
            let text = headers.get(name)?.to_str().ok()?;
            let fits = (1..=ID_LENGTH_MAX).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
            fits.then(|| text.to_owned())
        };
        let request_id = taken("x-request-id").unwrap_or_else(|| Uuid::now_v7().to_string());
        let correlation_id = taken("x-correlation-id").unwrap_or_else(|| request_id.clone());
        Self {
            request_id,
            correlation_id,
            path: path.to_owned(),
            reply_headers: Mutex::default(),
        }
    }

    /// Headers that the reply is to have, whether it is a success or not.
    pub(super) fn take_reply_headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let headers = self.reply_headers.lock();
        std::mem::take(&mut *headers.unwrap_or_else(PoisonError::into_inner))
    }

    /// The request that this task answers; empty outside of one.
    pub(super) fn current() -> Arc<Self> {
        CURRENT.try_with(Arc::clone).unwrap_or_default()
    }
}

/// Gives the reply to the current request a header, whether the reply turns
/// out to be a success or not.
pub fn add_reply_header(name: HeaderName, value: HeaderValue) {
    let request = RequestInfo::current();
    let headers = request.reply_headers.lock();
    headers
        .unwrap_or_else(PoisonError::into_inner)
        .push((name, value));
}

/// The chain's id, as an extractor.
#[derive(Clone, Debug)]
pub struct CorrelationId(pub String);

impl<S: Send + Sync> FromRequestParts<S> for CorrelationId {
    type Rejection = ApiError;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(RequestInfo::current().correlation_id.clone()))
    }
}

/// The client's address as API Gateway saw it, as an extractor. Never taken
/// from a header, which a client could write itself.
#[derive(Clone, Copy, Debug)]
pub struct SourceIp(pub Option<IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for SourceIp {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = match parts.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref(),
            _ => None,
        };
        Ok(Self(text.and_then(|text| text.parse().ok())))
    }
}

/// The cause of what a handler does: an extractor, to be put into events.
#[derive(Clone, Debug)]
pub struct RequestCause(pub Cause);

impl<S: Send + Sync> FromRequestParts<S> for RequestCause {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let request = RequestInfo::current();
        Ok(Self(Cause {
            correlation_id: request.correlation_id.clone(),
            causation_id: request.request_id.clone(),
            actor: caller.actor(),
        }))
    }
}
