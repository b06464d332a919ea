//! Limiting guesses at passwords and codes, without shutting out the owner: guesses are
//! counted by where they come from, and a device that has logged in counts for itself.

use kernel::{SessionId, SignedDuration, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

/// Failures of one device or network with one address before it is locked.
pub const FAILURES_MAX: usize = 5;
/// How long a first lock lasts, and how long a failure of a device or network counts.
pub const LOCKOUT: SignedDuration = SignedDuration::from_mins(15);

/// Failures of all unknown devices with one address before they are locked, wherever they
/// are: more than a household makes, and few enough that guessing from many networks
/// gains little.
pub const ADDRESS_FAILURES_MAX: usize = 20;
/// The longest lock of unknown devices: each lasts twice as long as the one before.
pub const ADDRESS_LOCKOUT_MAX: SignedDuration = SignedDuration::from_hours(4);
/// How long failures of unknown devices, and the length of their last lock, are
/// remembered: pausing between guesses for less does not help.
pub const ADDRESS_MEMORY: SignedDuration = SignedDuration::from_hours(24);

/// How many failures a counter allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuessLimit {
    pub failures: usize,
    /// How long a failure counts, and for how long after a lock the next one is longer.
    pub memory: SignedDuration,
    pub longest_lock: SignedDuration,
}

/// For one device, network or session.
pub const SOURCE_LIMIT: GuessLimit = GuessLimit {
    failures: FAILURES_MAX,
    memory: LOCKOUT,
    longest_lock: LOCKOUT,
};
/// For all unknown devices together.
pub const ADDRESS_LIMIT: GuessLimit = GuessLimit {
    failures: ADDRESS_FAILURES_MAX,
    memory: ADDRESS_MEMORY,
    longest_lock: ADDRESS_LOCKOUT_MAX,
};

/// Where a guess at the credentials of an account comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A device that has logged in to the account before.
    Device(Uuid),
    /// A network from which an unknown device tries. Counted for all networks together
    /// as well.
    Network(String),
    /// A session, in which something is asked for again.
    Session(SessionId),
}

/// A guess: the normalised address of the account, and where the guess comes from.
#[derive(Clone, Copy, Debug)]
pub struct Guess<'a> {
    pub email: &'a str,
    pub source: &'a Source,
}

/// The failures that one counter has recorded. They are counted whether or not there is
/// an account with the address, so that a lock does not reveal which addresses have
/// accounts.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct LoginFailures {
    /// The id of each failure, so that none counts twice.
    #[serde(default)]
    pub failures: Vec<String>,
    /// When the failures cease to count unless they lock, in milliseconds since the Unix
    /// epoch, as the other times.
    pub window_ends: i64,
    /// When the lock ends, if there are enough failures for one.
    #[serde(default)]
    pub lock_ends: i64,
    /// How long it lasts, in milliseconds.
    #[serde(default)]
    pub lock_for: i64,
}

impl LoginFailures {
    pub fn is_locked(&self, limit: &GuessLimit, now: Timestamp) -> bool {
        self.failures.len() >= limit.failures && now.as_millisecond() < self.lock_ends
    }

    /// Whether another failure is added to these; otherwise it begins anew.
    pub fn is_open(&self, limit: &GuessLimit, now: Timestamp) -> bool {
        match self.failures.len() >= limit.failures {
            true => self.is_locked(limit, now),
            false => now.as_millisecond() < self.window_ends,
        }
    }

    /// How long the next lock lasts, after these failures.
    pub fn next_lock(&self, limit: &GuessLimit, now: Timestamp) -> SignedDuration {
        let remembered_until = self
            .lock_ends
            .saturating_add(limit.memory.as_millis().try_into().unwrap_or(i64::MAX));
        let was_locked = self.failures.len() >= limit.failures;
        if !was_locked || now.as_millisecond() >= remembered_until {
            return LOCKOUT;
        }
        let doubled = SignedDuration::from_millis(self.lock_for.saturating_mul(2));
        doubled.clamp(LOCKOUT, limit.longest_lock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn record(failures: usize, lock_minutes: i64) -> LoginFailures {
        LoginFailures {
            failures: vec![String::new(); failures],
            window_ends: 1000,
            lock_ends: 2000,
            lock_for: lock_minutes * MINUTE,
        }
    }

    #[test]
    fn five_failures_of_a_source_lock_it_until_the_lock_ends() {
        assert!(!record(4, 15).is_locked(&SOURCE_LIMIT, at(999)));
        assert!(record(5, 15).is_locked(&SOURCE_LIMIT, at(1999)));
        assert!(!record(5, 15).is_locked(&SOURCE_LIMIT, at(2000)));
        assert!(!LoginFailures::default().is_locked(&SOURCE_LIMIT, at(0)));
    }

    #[test]
    fn failures_count_until_their_window_ends_or_while_they_lock() {
        assert!(record(4, 15).is_open(&SOURCE_LIMIT, at(999)));
        assert!(!record(4, 15).is_open(&SOURCE_LIMIT, at(1000)));
        assert!(record(5, 15).is_open(&SOURCE_LIMIT, at(1999)));
        assert!(!record(5, 15).is_open(&SOURCE_LIMIT, at(2000)));
    }

    #[test]
    fn locks_of_an_address_double_up_to_four_hours_and_are_forgotten_after_a_day() {
        let next = |failures, minutes, now| {
            let next = record(failures, minutes).next_lock(&ADDRESS_LIMIT, at(now));
            next.as_mins()
        };
        let locks = [15, 30, 60, 120, 240].map(|minutes| next(20, minutes, 2000));
        assert_eq!(locks, [30, 60, 120, 240, 240]);
        let day = 24 * 60 * MINUTE;
        assert_eq!(next(20, 120, 1999 + day), 240);
        assert_eq!(next(20, 120, 2000 + day), 15);
        assert_eq!(next(19, 120, 2000), 15, "not locked");
        let source = record(5, 15).next_lock(&SOURCE_LIMIT, at(2000));
        assert_eq!(source, LOCKOUT, "the lock of a source does not grow");
    }
}
