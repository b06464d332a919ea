//! Guessing passwords: how often, and what then.

use kernel::{SignedDuration, Timestamp};
use serde::Deserialize;

/// Wrong passwords for one address before it is locked.
pub const FAILURES_MAX: usize = 5;
/// How long it is then locked; also how long a failure counts towards the next.
pub const LOCKED_FOR: SignedDuration = SignedDuration::from_mins(15);

/// The failures to log in with one address. They are counted for the address,
/// whether or not somebody has an account with it, so that the lock does not
/// tell who has.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Attempts {
    /// Each failure by an id of its own, so that none counts twice.
    #[serde(default)]
    pub failures: Vec<String>,
    /// Until when they count, in milliseconds since the Unix epoch.
    pub window_ends: i64,
}

impl Attempts {
    /// Whether nobody may log in with the address now.
    pub fn is_locked(&self, now: Timestamp) -> bool {
        self.failures.len() >= FAILURES_MAX && self.is_open(now)
    }

    /// Whether the failures still count.
    pub fn is_open(&self, now: Timestamp) -> bool {
        now.as_millisecond() < self.window_ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_lock_until_the_window_ends() {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let attempts = |failures| Attempts {
            failures: vec![String::new(); failures],
            window_ends: 1000,
        };
        assert!(!attempts(4).is_locked(at(999)));
        assert!(attempts(5).is_locked(at(999)));
        assert!(!attempts(5).is_locked(at(1000)));
        assert!(!Attempts::default().is_locked(at(0)));
    }
}
