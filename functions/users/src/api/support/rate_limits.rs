//! Rate limits, and their headers (draft-ietf-httpapi-ratelimit-headers).

use std::sync::Arc;

use dynamo::{Quota, RateLimit};
use http::{HeaderMap, HeaderName, HeaderValue};
use kernel::{SignedDuration, Timestamp};
use runtime::http::{ApiError, Reply, SourceIp};

use crate::{app::App, store::Store};

/// The window in which the requests of a client to public endpoints are counted.
const IP_WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// Refreshes of one session: a client needs one when its access token has expired,
/// which is two in this window. More than that, and not much more, lets several
/// open tabs and restarts pass.
pub(in crate::api) const REFRESHES: RateLimit = RateLimit {
    name: "refresh",
    requests: 30,
    window: SignedDuration::from_mins(15),
};
/// Under which the requests of clients without an address count together. Only a
/// misconfigured edge leaves it out, and that must not lift the limit.
const NETWORK_UNKNOWN: &str = "unknown";
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
    client: SourceIp,
) -> Result<HeaderMap, ApiError> {
    let limit = RateLimit {
        name: "auth",
        requests: app.settings.requests_per_ip,
        window: IP_WINDOW,
    };
    let detail = "too many requests from your address; try again later";
    let network = client.network();
    let key = network.as_deref().unwrap_or(NETWORK_UNKNOWN);
    enforce(&app.store, &limit, key, app.host.now(), detail).await
}

/// Rejects credentials that nobody has, and counts the request for the client's
/// network. Endpoints that can tell such credentials apart do this instead of the
/// guard, so that whoever shares an address with an attacker stays signed in.
pub(in crate::api) async fn reject_by_ip<C: Send + Sync>(
    app: Arc<App<C>>,
    client: SourceIp,
    rejection: ApiError,
) -> ApiError {
    match limit_by_ip(app, client).await {
        Ok(headers) => rejection.with_headers(headers),
        Err(limited) => limited,
    }
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
