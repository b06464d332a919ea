//! Rate limits, and their headers (draft-ietf-httpapi-ratelimit-headers).

use std::{net::IpAddr, sync::Arc};

use dynamo::{Quota, RateLimit};
use http::{HeaderMap, HeaderName, HeaderValue};
use kernel::{SignedDuration, Timestamp};
use runtime::http::{ApiError, Reply, SourceIp};

use crate::{app::App, store::Store};

/// The window in which the requests of a client to public endpoints are counted.
const IP_WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// E-mails that anybody may request for one address: more than somebody who waits
/// for one needs, and too few to annoy somebody who does not.
pub(in crate::api) const MAILS: RateLimit = RateLimit {
    name: "mails",
    requests: 5,
    window: SignedDuration::from_hours(1),
};

/// The guard of public endpoints: counts the requests of a client, before anything
/// is parsed or hashed.
///
/// # Errors
/// 429 `too_many_requests`.
pub(in crate::api) async fn limit_by_ip<C: Send + Sync>(
    app: Arc<App<C>>,
    SourceIp(ip): SourceIp,
) -> Result<HeaderMap, ApiError> {
    let limit = RateLimit {
        name: "auth",
        requests: app.settings.requests_per_ip,
        window: IP_WINDOW,
    };
    let detail = "too many requests from your address; try again later";
    enforce(&app.store, &limit, &network(ip), app.host.now(), detail).await
}

/// Counts a request, and returns the headers that describe the limit.
///
/// # Errors
/// 429 `too_many_requests`, with the same headers.
pub(in crate::api) async fn enforce(
    store: &Store,
    limit: &RateLimit,
    key: &str,
    now: Timestamp,
    detail: &'static str,
) -> Result<HeaderMap, ApiError> {
    let quota = store.count_request(limit, key, now).await?;
    let headers = headers(limit, quota);
    if quota.allowed {
        return Ok(headers);
    }
    Err(ApiError::too_many_requests(quota.reset_seconds, detail).with_headers(headers))
}

/// Adds headers to a reply, whether it is a success or not.
pub(in crate::api) fn with_headers(
    result: Result<Reply, ApiError>,
    headers: HeaderMap,
) -> Result<Reply, ApiError> {
    match result {
        Ok(reply) => Ok(reply.with_headers(headers)),
        Err(error) => Err(error.with_headers(headers)),
    }
}

/// Whose requests count together: an IPv4 address, or a /64 of IPv6, which is the
/// least that one customer of a network gets.
fn network(ip: Option<IpAddr>) -> String {
    match ip.map(|ip| ip.to_canonical()) {
        None => "unknown".into(),
        Some(IpAddr::V4(ip)) => ip.to_string(),
        Some(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

fn headers(limit: &RateLimit, quota: Quota) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut number = |name, value: u32| {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    };
    number("ratelimit-limit", limit.requests);
    number("ratelimit-remaining", quota.remaining);
    number("ratelimit-reset", quota.reset_seconds);
    let policy = format!("{};w={}", limit.requests, limit.window.as_secs());
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(HeaderName::from_static("ratelimit-policy"), policy);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_counts_as_one_and_a_mapped_address_as_ipv4() {
        let of = |ip: &str| network(Some(ip.parse().unwrap()));
        assert_eq!(of("2001:db8:1:2::7"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::7"), of("2001:db8:1:3::7"));
        assert_eq!(of("::ffff:203.0.113.7"), of("203.0.113.7"));
        assert_ne!(of("203.0.113.7"), of("203.0.113.8"));
    }
}
