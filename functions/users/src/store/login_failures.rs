//! Recording failures to log in.

use dynamo::{Attempts, CommitError, Expression, Key, StoreError};
use kernel::{SessionId, SignedDuration, Timestamp};
use serde::de::IgnoredAny;

use super::{
    Store,
    rows::{CountedFailures, address_failures_key, later, source_failures_key},
};
use crate::domain::{
    ADDRESS_LIMIT, Guess, GuessLimit, LOCKOUT, LoginFailures, SOURCE_LIMIT, Source,
};

/// An attempt that counts as a failure until it is cleared.
#[derive(Debug)]
pub struct PendingAttempt {
    key: Key,
    id: String,
}

/// The failures that may refuse a guess.
#[derive(Debug, Default)]
pub struct Recorded {
    source: LoginFailures,
    /// Of all unknown devices; empty where the guess does not come from one.
    address: LoginFailures,
}

impl Recorded {
    pub(super) fn new(source: LoginFailures, address: LoginFailures) -> Self {
        Self { source, address }
    }

    pub fn is_locked(&self, now: Timestamp) -> bool {
        self.source.is_locked(&SOURCE_LIMIT, now) || self.address.is_locked(&ADDRESS_LIMIT, now)
    }
}

enum Outcome {
    Recorded,
    Locked,
    /// The earlier failures have ceased to count.
    Ended(LoginFailures),
}

impl Store {
    /// What is recorded against a guess.
    pub async fn login_failures(&self, guess: Guess<'_>) -> Result<Recorded, StoreError> {
        let source_key = source_failures_key(guess);
        if !matches!(guess.source, Source::Network(_)) {
            let source = self.table.get(source_key).await?;
            return Ok(Recorded::new(
                source.unwrap_or_default(),
                LoginFailures::default(),
            ));
        }
        let keys = vec![source_key.clone(), address_failures_key(guess.email)];
        let mut recorded = Recorded::default();
        for found in self.table.get_many::<CountedFailures>(keys, true).await? {
            match found.pk == source_key.pk {
                true => recorded.source = found.failures,
                false => recorded.address = found.failures,
            }
        }
        Ok(recorded)
    }

    /// Records a failure. Each is added to a set by its own id, so that a repeated write
    /// counts once. While a counter is locked it does not change, so that further guesses
    /// do not extend the lock.
    ///
    /// A locked network adds nothing to the failures of all unknown devices, or it could
    /// lock them alone in one go; by guessing again after each lock, it can. The write is then refused by its condition, so that it takes the
    /// same calls.
    pub async fn record_failure(&self, guess: Guess<'_>, now: Timestamp) -> Result<(), StoreError> {
        let id = self.new_failure_id();
        let source_key = source_failures_key(guess);
        let recorded = self.count(&source_key, &SOURCE_LIMIT, &id, now).await?;
        if !matches!(guess.source, Source::Network(_)) {
            return Ok(());
        }
        let address_key = address_failures_key(guess.email);
        if recorded {
            self.count(&address_key, &ADDRESS_LIMIT, &id, now).await?;
            return Ok(());
        }
        let never = with_failure(&id, &ADDRESS_LIMIT, now)
            .only_when("attribute_exists(pk) AND attribute_not_exists(pk)");
        match self.table.update::<IgnoredAny>(address_key, never).await {
            Ok(_) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Records a failure in a session before the outcome is known; [`Self::clear_attempt`]
    /// removes it after a success. This bounds the attempts in progress, so guessing in
    /// parallel gains nothing. `None` while the session is locked.
    pub async fn begin_attempt(
        &self,
        email: &str,
        session: SessionId,
        now: Timestamp,
    ) -> Result<Option<PendingAttempt>, StoreError> {
        let source = &Source::Session(session);
        let key = source_failures_key(Guess { email, source });
        let id = self.new_failure_id();
        let recorded = self.count(&key, &SOURCE_LIMIT, &id, now).await?;
        Ok(recorded.then_some(PendingAttempt { key, id }))
    }

    /// The same for somebody without a session, who counts as an unknown device: in their
    /// network and in all networks together. `None` while either is locked.
    pub async fn begin_guess(
        &self,
        email: &str,
        network: &str,
        now: Timestamp,
    ) -> Result<Option<[PendingAttempt; 2]>, StoreError> {
        let source = &Source::Network(network.to_owned());
        let source_key = source_failures_key(Guess { email, source });
        let address_key = address_failures_key(email);
        let id = self.new_failure_id();
        if !self.count(&source_key, &SOURCE_LIMIT, &id, now).await?
            || !self.count(&address_key, &ADDRESS_LIMIT, &id, now).await?
        {
            return Ok(None);
        }
        let pending = |key| PendingAttempt {
            key,
            id: id.clone(),
        };
        Ok(Some([source_key, address_key].map(pending)))
    }

    /// Clears an attempt that succeeded.
    ///
    /// # Errors
    /// When the store fails; then the attempt counts until the window ends.
    pub async fn clear_attempt(&self, attempt: PendingAttempt) -> Result<(), StoreError> {
        let expression = Expression::update("DELETE failures :one")
            .only_when("contains(failures, :id)")
            .value(":id", &attempt.id)
            .string_set(":one", vec![attempt.id]);
        match self
            .table
            .update::<IgnoredAny>(attempt.key, expression)
            .await
        {
            Ok(_) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    fn new_failure_id(&self) -> String {
        self.table.random().uuid().simple().to_string()
    }

    /// Adds a failure to a counter; false while that is locked.
    async fn count(
        &self,
        key: &Key,
        limit: &GuessLimit,
        id: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut attempts = Attempts::new(self.table.random());
        while attempts.next().await {
            match self.add_failure(key, limit, id, now).await? {
                Outcome::Recorded => return Ok(true),
                Outcome::Locked => return Ok(false),
                Outcome::Ended(ended) => {
                    if self.start_again(key, limit, id, &ended, now).await? {
                        return Ok(true);
                    }
                }
            }
        }
        // Others started again every time, with failures of their own.
        Ok(false)
    }

    /// Adds a failure to those that count, or records the first one.
    async fn add_failure(
        &self,
        key: &Key,
        limit: &GuessLimit,
        id: &str,
        now: Timestamp,
    ) -> Result<Outcome, StoreError> {
        let expression = with_failure(id, limit, now)
            .only_when(
                "attribute_not_exists(pk) OR contains(failures, :id) \
                 OR (window_ends > :now \
                     AND (attribute_not_exists(failures) OR size(failures) < :most))",
            )
            .value(":id", id)
            .value(":most", limit.failures);
        match self
            .table
            .update::<IgnoredAny>(key.clone(), expression)
            .await
        {
            Ok(_) => Ok(Outcome::Recorded),
            Err(CommitError::Store(error)) => Err(error),
            Err(CommitError::ConditionFailed(failed)) => {
                let found: Option<LoginFailures> = failed.item("item")?;
                let ended = found.filter(|failures| !failures.is_open(limit, now));
                Ok(ended.map_or(Outcome::Locked, Outcome::Ended))
            }
        }
    }

    /// Replaces failures that have ceased to count; false when another request did.
    async fn start_again(
        &self,
        key: &Key,
        limit: &GuessLimit,
        id: &str,
        ended: &LoginFailures,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let lock_for = ended.next_lock(limit, now);
        let expression = Expression::update(
            "SET failures = :one, window_ends = :window_ends, lock_for = :lock_for, \
             lock_ends = :lock_ends, expires_at = :expires",
        )
        .only_when("window_ends = :ended")
        .string_set(":one", vec![id.to_owned()])
        .value(":window_ends", later(now, limit.memory).as_millisecond())
        .value(":lock_for", milliseconds(lock_for))
        .value(":lock_ends", later(now, lock_for).as_millisecond())
        .value(":expires", expiry(limit, now))
        .value(":ended", ended.window_ends);
        match self
            .table
            .update::<IgnoredAny>(key.clone(), expression)
            .await
        {
            Ok(_) => Ok(true),
            Err(CommitError::ConditionFailed(_)) => Ok(false),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}

/// Adds a failure. The last that is added is the one which locks, so each moves the end
/// of the lock that there would be.
fn with_failure(id: &str, limit: &GuessLimit, now: Timestamp) -> Expression {
    Expression::update(
        "ADD failures :one \
         SET window_ends = :window_ends, lock_for = if_not_exists(lock_for, :lockout), \
             lock_ends = :now + if_not_exists(lock_for, :lockout), expires_at = :expires",
    )
    .string_set(":one", vec![id.to_owned()])
    .value(":window_ends", later(now, limit.memory).as_millisecond())
    .value(":lockout", milliseconds(LOCKOUT))
    .value(":now", now.as_millisecond())
    .value(":expires", expiry(limit, now))
}

/// When nothing of a counter matters any more, in seconds.
fn expiry(limit: &GuessLimit, now: Timestamp) -> i64 {
    later(later(now, limit.longest_lock), limit.memory).as_second()
}

fn milliseconds(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The condition that a counter is not locked, for a transaction that accepts a password
/// or code: it may have been locked since it was read.
pub(super) fn not_locked(limit: &GuessLimit, now: Timestamp) -> Expression {
    Expression::when(
        "attribute_not_exists(failures) OR lock_ends <= :now OR size(failures) < :most",
    )
    .value(":now", now.as_millisecond())
    .value(":most", limit.failures)
}
