//! What is known of a request before its content is read.

use std::{net::IpAddr, sync::Arc};

use axum::extract::FromRequestParts;
use http::{HeaderMap, request::Parts};
use kernel::Cause;
use lambda_http::{RequestExt, request::RequestContext};
use uuid::Uuid;

use super::{ApiError, Caller};
use crate::Host;

/// The longest id that is accepted from a client.
const ID_LENGTH_MAX: usize = 128;

/// A request's ids and path. As an extractor, those of the request at hand.
#[derive(Clone, Debug, Default)]
pub struct RequestInfo(Arc<Ids>);

#[derive(Debug, Default)]
struct Ids {
    request_id: String,
    correlation_id: String,
    path: String,
}

impl RequestInfo {
    pub(super) fn new(headers: &HeaderMap, path: &str, host: &Host) -> Self {
        let sent = |name: &str| {
            let text = headers.get(name)?.to_str().ok()?;
            let valid = (1..=ID_LENGTH_MAX).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
            valid.then(|| text.to_owned())
        };
        let request_id = sent("x-request-id").unwrap_or_else(|| host.new_id::<Uuid>().to_string());
        let correlation_id = sent("x-correlation-id").unwrap_or_else(|| request_id.clone());
        Self(Arc::new(Ids {
            request_id,
            correlation_id,
            path: path.to_owned(),
        }))
    }

    /// Names this request: the client's `X-Request-Id`, or a new id.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// Names the whole chain of requests and events: the client's
    /// `X-Correlation-Id`, or the request's id.
    pub fn correlation_id(&self) -> &str {
        &self.0.correlation_id
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        &self.0.path
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestInfo {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// The client's address as API Gateway saw it, as an extractor. Never taken
/// from a header, which a client could write itself.
#[derive(Clone, Copy, Debug)]
pub struct SourceIp(pub Option<IpAddr>);

impl SourceIp {
    pub(super) fn of(parts: &Parts) -> Self {
        let text = match parts.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref(),
            _ => None,
        };
        Self(text.and_then(|text| text.parse().ok()))
    }

    /// Whose requests count together: an IPv4 address, or a /64 of IPv6, which
    /// is the least that one customer of a network gets.
    pub fn network(self) -> Option<String> {
        Some(match self.0?.to_canonical() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SourceIp {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self::of(parts))
    }
}

/// The cause of what a handler does, for its events; an extractor.
#[derive(Clone, Debug)]
pub struct RequestCause(pub Cause);

impl<S: Send + Sync> FromRequestParts<S> for RequestCause {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let request = RequestInfo::from_request_parts(parts, state).await?;
        Ok(Self(Cause {
            correlation_id: request.correlation_id().to_owned(),
            causation_id: request.request_id().to_owned(),
            actor: caller.actor(),
        }))
    }
}
