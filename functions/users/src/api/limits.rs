//! The limits of what anybody may ask for, looked at before anything is read,
//! let alone hashed.

use std::{net::IpAddr, sync::Arc};

use axum::extract::FromRequestParts;
use dynamo::{Quota, RateLimit};
use http::{HeaderName, HeaderValue, StatusCode, request::Parts};
use kernel::{SignedDuration, Timestamp};
use runtime::http::{ApiError, SourceIp, add_reply_header};

use crate::{
    app::{App, LogIns, Mails, Registration, SignIns},
    store::Store,
};

/// In how long an address of the network may send so many requests.
const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// Mails that anybody may have sent to one e-mail address: more than one who
/// waits for a mail asks for, and no nuisance to one who does not.
pub(super) const MAILS: RateLimit = RateLimit {
    name: "mails",
    most: 5,
    window: SignedDuration::from_hours(1),
};

/// The request is within the limits. An extractor that stands before all that
/// costs something; the headers (draft-ietf-httpapi-ratelimit-headers) go onto
/// every reply, whatever it turns out to be.
#[derive(Clone, Copy, Debug)]
pub struct WithinLimits;

/// What knows the limits.
pub trait Limited: Send + Sync {
    /// Where they are counted.
    fn store(&self) -> &Store;
    /// The time.
    fn now(&self) -> Timestamp;
}

macro_rules! limited {
    ($($app:ty),+) => {$(
        impl Limited for $app {
            fn store(&self) -> &Store {
                &self.store
            }

            fn now(&self) -> Timestamp {
                self.clock.now()
            }
        }
    )+};
}

limited!(App, Mails, SignIns);

impl Limited for LogIns {
    fn store(&self) -> &Store {
        self.sign_ins.store()
    }

    fn now(&self) -> Timestamp {
        self.sign_ins.now()
    }
}

impl Limited for Registration {
    fn store(&self) -> &Store {
        self.sign_ins.store()
    }

    fn now(&self) -> Timestamp {
        self.sign_ins.now()
    }
}

impl<S: Limited> FromRequestParts<Arc<S>> for WithinLimits {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<S>) -> Result<Self, ApiError> {
        let SourceIp(ip) = SourceIp::from_request_parts(parts, state).await?;
        let (store, now) = (state.store(), state.now());
        let limit = RateLimit {
            name: "auth",
            most: store.requests_per_ip(),
            window: WINDOW,
        };
        let detail = "too many requests from your address; come again later";
        require_within(store, &limit, &network(ip), now, detail).await?;
        Ok(Self)
    }
}

/// Requires a request to be within a limit, and says in the reply's headers
/// what is left of it.
///
/// # Errors
/// 429 `too_many_requests`.
pub(super) async fn require_within(
    store: &Store,
    limit: &RateLimit,
    key: &str,
    now: Timestamp,
    detail: &'static str,
) -> Result<(), ApiError> {
    let quota = store.take(limit, key, now).await?;
    announce(limit, quota);
    if quota.admitted {
        return Ok(());
    }
    let refused = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail);
    Err(refused.with_retry_after(quota.reset_seconds))
}

/// Whose requests count together: those of an IPv4 address, or of a /64 of
/// IPv6, which is what one customer of a network has at least.
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

fn announce(limit: &RateLimit, quota: Quota) {
    let number = |name, value: u32| {
        add_reply_header(HeaderName::from_static(name), HeaderValue::from(value));
    };
    number("ratelimit-limit", limit.most);
    number("ratelimit-remaining", quota.remaining);
    number("ratelimit-reset", quota.reset_seconds);
    let policy = format!("{};w={}", limit.most, limit.window.as_secs());
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        add_reply_header(HeaderName::from_static("ratelimit-policy"), policy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_counts_as_one_and_a_mapped_address_as_itself() {
        let of = |ip: &str| network(Some(ip.parse().unwrap()));
        assert_eq!(of("2001:db8:1:2::7"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::7"), of("2001:db8:1:3::7"));
        assert_eq!(of("::ffff:203.0.113.7"), of("203.0.113.7"));
        assert_ne!(of("203.0.113.7"), of("203.0.113.8"));
    }
}
