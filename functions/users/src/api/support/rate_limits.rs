//! Rate limits, and their headers (draft-ietf-httpapi-ratelimit-headers).

use std::sync::Arc;

use dynamo::{Quota, RateLimit, StoreError};
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
/// Times that a user may enable or disable the second factor: each sends a notice.
pub(in crate::api) const FACTOR_CHANGES: RateLimit = RateLimit {
    name: "factor-changes",
    requests: 10,
    window: SignedDuration::from_hours(1),
};
pub(in crate::api) const TOO_MANY_FACTOR_CHANGES: &str =
    "too many changes of the second factor; try again later";
/// E-mails that reset a password. Each leads to a usable link: an email that used up the
/// allowance was sent in this window, and its token outlives the window.
pub(in crate::api) const RESET_MAILS: MailLimit = MailLimit {
    name: "reset-mails",
    mails: 2,
    window: SignedDuration::from_mins(20),
};
/// E-mails that verify the address of an account.
pub(in crate::api) const VERIFICATION_MAILS: MailLimit = MailLimit {
    name: "verification-mails",
    mails: 5,
    window: MAIL_WINDOW,
};
/// E-mails that verify an address to which an account is to be moved.
pub(in crate::api) const NEW_ADDRESS_MAILS: MailLimit = MailLimit {
    name: "new-address-mails",
    mails: 5,
    window: MAIL_WINDOW,
};
/// E-mails of private registration, to a new account or to the owner of a taken address.
pub(in crate::api) const REGISTRATION_MAILS: MailLimit = MailLimit {
    name: "registration-mails",
    mails: 5,
    window: MAIL_WINDOW,
};
const MAIL_WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// How many e-mails of one purpose anybody may request for one address: as many as
/// somebody who waits for one needs, and too few to annoy somebody who does not.
///
/// Windows are fixed rather than sliding, and each starts anew. A sliding window also
/// counts what it refuses, so a stranger who keeps requesting would keep the owner of the
/// address from ever getting an e-mail again.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct MailLimit {
    /// Purposes are counted separately, so that none uses up another's e-mails.
    name: &'static str,
    mails: u32,
    window: SignedDuration,
}

/// Whether a request can lead to an e-mail. Those that cannot are counted separately,
/// with the same calls, so that they use up nothing.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) enum Recipient {
    Eligible,
    Ineligible,
}

impl MailLimit {
    /// Counts a request, and returns whether its e-mail may be sent.
    pub(in crate::api) async fn admits(
        &self,
        store: &Store,
        (email, recipient): (&str, Recipient),
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let limit = RateLimit {
            name: self.name,
            requests: self.mails,
            window: self.window,
        };
        let window = now.as_second().div_euclid(self.window.as_secs());
        let key = match recipient {
            Recipient::Eligible => format!("{window}#{email}"),
            Recipient::Ineligible => format!("{window}#ineligible#{email}"),
        };
        Ok(store.count_request(&limit, &key, now).await?.allowed)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{RESET_LIFETIME, VERIFICATION_LIFETIME};

    #[test]
    fn the_links_of_a_window_outlive_it_by_long_enough_to_be_followed() {
        for (limit, lifetime) in [
            (RESET_MAILS, RESET_LIFETIME),
            (VERIFICATION_MAILS, VERIFICATION_LIFETIME),
            (NEW_ADDRESS_MAILS, VERIFICATION_LIFETIME),
            (REGISTRATION_MAILS, VERIFICATION_LIFETIME),
        ] {
            let left = lifetime - limit.window;
            assert!(left >= SignedDuration::from_mins(10), "{}", limit.name);
        }
    }
}
