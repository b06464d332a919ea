//! What is known of a request before its content is read.

use std::{net::IpAddr, sync::Arc};

use axum::extract::FromRequestParts;
use http::{HeaderMap, request::Parts};
use kernel::{Actor, Cause, ClientIds};
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
    client: ClientIds,
    path: String,
}

/// The ids in a client's `X-Request-Id` and `X-Correlation-Id`; `header` finds a
/// header by its name in lower case. An id that is too long, or could be more
/// than an id where it is shown, counts as not sent.
pub fn client_ids<'a>(header: impl Fn(&str) -> Option<&'a str>) -> ClientIds {
    let sent = |name| {
        let text = header(name)?;
        let valid = (1..=ID_LENGTH_MAX).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
        valid.then(|| text.to_owned())
    };
    ClientIds {
        request_id: sent("x-request-id"),
        correlation_id: sent("x-correlation-id"),
    }
}

impl RequestInfo {
    pub(super) fn new(headers: &HeaderMap, path: &str, host: &Host) -> Self {
        Self(Arc::new(Ids {
            request_id: host.new_id::<Uuid>().to_string(),
            client: client_ids(|name| headers.get(name)?.to_str().ok()),
            path: path.to_owned(),
        }))
    }

    /// Names this request: always a new id, never one that a client chose.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// Names the chain of this request and the events that follow from it.
    pub fn correlation_id(&self) -> &str {
        &self.0.request_id
    }

    /// What the client calls the request and its chain.
    pub fn client(&self) -> &ClientIds {
        &self.0.client
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

/// The client's address, as an extractor: the one that API Gateway saw or, behind
/// an [`super::Edge`], the one that the edge saw. `None` if there is none to be
/// read; what that means is up to each limit.
#[derive(Clone, Copy, Debug)]
pub struct SourceIp(pub Option<IpAddr>);

impl SourceIp {
    /// The address that API Gateway saw.
    pub(super) fn of_gateway(parts: &Parts) -> Self {
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
        Ok(parts.extensions.get().copied().unwrap_or(Self(None)))
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
        let SourceIp(ip) = SourceIp::from_request_parts(parts, state).await?;
        let actor = caller.actor();
        Ok(Self(Cause {
            client: request.client().clone(),
            source_ip: ip.filter(|_| actor == Actor::Internal),
            ..Cause::new(request.correlation_id(), request.request_id(), actor)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_counts_as_one_and_a_mapped_address_as_ipv4() {
        let of = |ip: &str| SourceIp(ip.parse().ok()).network();
        assert_eq!(of("2001:db8:1:2::7"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::7"), of("2001:db8:1:3::7"));
        assert_eq!(of("::ffff:203.0.113.7"), of("203.0.113.7"));
        assert_ne!(of("203.0.113.7"), of("203.0.113.8"));
        assert_eq!(of("nowhere"), None);
    }
}
