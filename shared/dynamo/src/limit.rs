//! Rate limits: how often something may be done under one key, counted in the
//! table, so that all functions of a service count together.
//!
//! A limit is a sliding window approximated by two fixed ones, as gateways do
//! it: requests of the previous window weigh as much as that window still
//! overlaps the sliding one. One item a key, one write a request.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{CommitError, Expression, Key, StoreError, Table};

/// Attempts to count a request while others begin the key's next window.
const ATTEMPTS_MAX: u32 = 5;

/// A text as part of a key that must not show it, such as an address.
pub fn hash_key(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// How often something may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// What is limited; the same key under another limit counts separately.
    pub name: &'static str,
    /// How many requests.
    pub requests: u32,
    /// In which time, in whole seconds.
    pub window: SignedDuration,
}

/// What a limit still allows after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Whether the request is within the limit.
    pub allowed: bool,
    /// How many more requests.
    pub remaining: u32,
    /// When the window ends or, if the request is not allowed, when to try
    /// again. In seconds, rounded up.
    pub reset_seconds: u32,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Bucket {
    /// Which window, counted from the Unix epoch.
    window: i64,
    hits: i64,
    /// Hits of the previous window.
    previous: i64,
}

#[derive(Serialize)]
struct Row {
    pk: String,
    sk: &'static str,
    #[serde(flatten)]
    bucket: Bucket,
    expires_at: i64,
}

impl RateLimit {
    fn window_ms(&self) -> i64 {
        i64::try_from(self.window.as_millis())
            .unwrap_or(i64::MAX)
            .max(1)
    }

    /// The key of a bucket. Hashed, so that no addresses are kept here.
    fn key(&self, key: &str) -> Key {
        let hash = hash_key(key);
        Key::new(format!("LIMIT#{}#{hash}", self.name), "LIMIT")
    }

    /// What a bucket allows at a moment of its window, the weight of the
    /// previous window included.
    fn quota(&self, bucket: Bucket, counted: bool, now: Timestamp) -> Quota {
        let (window, most) = (self.window_ms(), i64::from(self.requests));
        let left_ms = (bucket.window + 1) * window - now.as_millisecond();
        let left_ms = left_ms.clamp(0, window);
        // Rounded up: what weighs anything weighs one.
        let weight = (bucket.previous.saturating_mul(left_ms) + window - 1) / window;
        let used = bucket.hits + weight;
        let allowed = counted && used <= most;
        let wait_ms = if allowed {
            left_ms
        } else if bucket.hits < most {
            // Until the previous window weighs little enough.
            let room = most - bucket.hits - 1;
            left_ms - room * window / bucket.previous.max(1)
        } else {
            // This window has used all: a part of the next has to pass too.
            left_ms + window / most.max(1)
        };
        let seconds = (wait_ms.max(1) + 999) / 1000;
        Quota {
            allowed,
            remaining: u32::try_from((most - used).max(0)).unwrap_or(0),
            reset_seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
        }
    }
}

impl Table {
    /// Counts a request under a key, and whether it is within the limit. One that
    /// is refused because of the previous window is counted all the same, so
    /// clients that do not wait are refused for longer.
    ///
    /// This is the one number that changes outside a transaction: when a reply
    /// is lost, the SDK repeats the update, and the request counts twice. That
    /// is on the safe side, and transactions would get into each other's way
    /// just when many requests come at once.
    ///
    /// # Errors
    /// When the store fails, or others keep beginning the key's next window.
    pub async fn count_request(
        &self,
        limit: &RateLimit,
        key: &str,
        now: Timestamp,
    ) -> Result<Quota, StoreError> {
        let mut window = now.as_millisecond().div_euclid(limit.window_ms());
        let key = limit.key(key);
        for _ in 0..ATTEMPTS_MAX {
            // Also begins the first window of a key: most keys are seen once, and a
            // refused update costs as much as one that writes.
            let one_more = Expression::update(
                "SET hits = if_not_exists(hits, :zero) + :one, \
                 previous = if_not_exists(previous, :zero), #window = :window, \
                 expires_at = if_not_exists(expires_at, :expires)",
            )
            .only_when("attribute_not_exists(pk) OR (#window = :window AND hits < :most)")
            .name("#window", "window")
            .value(":zero", 0)
            .value(":one", 1)
            .value(":window", window)
            .value(":expires", expires_at(window, limit))
            .value(":most", limit.requests);
            let refused = match self.update::<Bucket>(key.clone(), one_more).await {
                Ok(bucket) => return Ok(limit.quota(bucket, true, now)),
                Err(CommitError::Store(error)) => return Err(error),
                Err(CommitError::ConditionFailed(refused)) => refused,
            };
            let found: Option<Bucket> = refused.item("item")?;
            let (previous, condition) = match found {
                Some(found) if found.window == window => {
                    return Ok(limit.quota(found, false, now));
                }
                // The clock of another machine is ahead: its window counts.
                Some(found) if found.window > window => {
                    window = found.window;
                    continue;
                }
                Some(found) => {
                    let adjacent = found.window + 1 == window;
                    let previous = if adjacent { found.hits } else { 0 };
                    let same = Expression::when("#window = :found")
                        .name("#window", "window")
                        .value(":found", found.window);
                    (previous, same)
                }
                None => (0, Expression::when("attribute_not_exists(pk)")),
            };
            let bucket = Bucket {
                window,
                hits: 1,
                previous,
            };
            let row = Row {
                pk: key.pk.clone(),
                sk: "LIMIT",
                bucket,
                expires_at: expires_at(window, limit),
            };
            match self.put(&row, condition).await {
                Ok(()) => return Ok(limit.quota(bucket, true, now)),
                Err(CommitError::ConditionFailed(_)) => {}
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
        Err(StoreError::Contended {
            operation: "UpdateItem",
            attempts: ATTEMPTS_MAX,
        })
    }
}

/// When a window no longer weighs anything, in seconds since the Unix epoch.
fn expires_at(window: i64, limit: &RateLimit) -> i64 {
    (window + 2) * limit.window_ms() / 1000 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RateLimit = RateLimit {
        name: "test",
        requests: 10,
        window: SignedDuration::from_secs(100),
    };

    fn quota(hits: i64, previous: i64, second: i64) -> Quota {
        let bucket = Bucket {
            window: 0,
            hits,
            previous,
        };
        LIMIT.quota(bucket, true, Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn the_previous_window_weighs_less_and_less() {
        assert_eq!(quota(1, 0, 0).remaining, 9);
        assert!(quota(10, 0, 0).allowed);
        // Ten before, a quarter of which still lies in the sliding window.
        assert_eq!(quota(1, 10, 75).remaining, 6);
        assert!(!quota(9, 10, 75).allowed);
        assert!(quota(9, 10, 95).allowed);
    }

    #[test]
    fn a_request_is_allowed_again_when_the_quota_says() {
        for (hits, previous, second) in [(9, 10, 75), (1, 10, 0), (5, 9, 10), (10, 4, 30)] {
            let now = quota(hits, previous, second);
            assert!(!now.allowed, "{hits} {previous} {second}");
            let then = second + i64::from(now.reset_seconds);
            let again = if then < 100 {
                quota(hits + 1, previous, then)
            } else {
                let bucket = Bucket {
                    window: 1,
                    hits: 1,
                    previous: hits,
                };
                LIMIT.quota(bucket, true, Timestamp::from_second(then).unwrap())
            };
            assert!(
                again.allowed,
                "{hits} {previous} {second}: {now:?} {again:?}"
            );
        }
    }
}
