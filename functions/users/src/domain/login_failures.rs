//! Limiting guesses at passwords and codes.

use kernel::{SignedDuration, Timestamp};
use serde::Deserialize;

/// Failures to log in with one address before it is locked.
pub const FAILURES_MAX: usize = 5;
/// How long an address is locked, and how long a failure counts.
pub const LOCKOUT: SignedDuration = SignedDuration::from_mins(15);

/// The failures to log in with one address. They are counted whether or not
/// there is an account with it, so that the lock does not reveal which addresses
/// have accounts.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct LoginFailures {
    /// The id of each failure, so that none counts twice.
    #[serde(default)]
    pub failures: Vec<String>,
    /// When the failures cease to count, in milliseconds since the Unix epoch.
    pub window_ends: i64,
}

impl LoginFailures {
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
        let record = |failures| LoginFailures {
            failures: vec![String::new(); failures],
            window_ends: 1000,
        };
        assert!(!record(4).is_locked(at(999)));
        assert!(record(5).is_locked(at(999)));
        assert!(!record(5).is_locked(at(1000)));
        assert!(!LoginFailures::default().is_locked(at(0)));
    }
}
