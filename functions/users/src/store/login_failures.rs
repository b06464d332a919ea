//! Recording failures to log in.

use dynamo::{Attempts, CommitError, Expression, StoreError};
use kernel::Timestamp;
use serde::de::IgnoredAny;

use super::{
    Store,
    rows::{later, login_failures_key},
};
use crate::domain::{FAILURES_MAX, LOCKOUT, LoginFailures};

/// An attempt that counts as a failure until it is cleared.
#[derive(Debug)]
pub struct PendingAttempt(String);

enum Recorded {
    Yes,
    /// The address is locked.
    Locked,
    /// The window of the earlier failures has ended, at that time.
    WindowEnded(i64),
}

impl Store {
    pub async fn login_failures(&self, email: &str) -> Result<LoginFailures, StoreError> {
        let failures = self.table.get(login_failures_key(email)).await?;
        Ok(failures.unwrap_or_default())
    }

    /// Records a failure to log in with an address. Each is added to a set by its
    /// own id, so that a repeated write counts once. While the address is locked
    /// nothing changes, so that further guesses do not extend the lock.
    pub async fn record_failure(&self, email: &str, now: Timestamp) -> Result<(), StoreError> {
        self.begin_attempt(email, now).await.map(drop)
    }

    /// Records a failure before the outcome is known; [`Self::clear_attempt`]
    /// removes it after a success. This bounds the attempts in progress, so
    /// guessing in parallel gains nothing. `None` while the address is locked.
    pub async fn begin_attempt(
        &self,
        email: &str,
        now: Timestamp,
    ) -> Result<Option<PendingAttempt>, StoreError> {
        let id = self.table.random().uuid().simple().to_string();
        let mut attempts = Attempts::new(self.table.random());
        while attempts.next().await {
            match self.add_failure(email, &id, now).await? {
                Recorded::Yes => return Ok(Some(PendingAttempt(id))),
                Recorded::Locked => return Ok(None),
                Recorded::WindowEnded(ended) => {
                    if self.restart_window(email, &id, ended, now).await? {
                        return Ok(Some(PendingAttempt(id)));
                    }
                }
            }
        }
        // Others restarted the window every time, with failures of their own.
        Ok(None)
    }

    /// Clears an attempt that succeeded.
    ///
    /// # Errors
    /// When the store fails; then the attempt counts until the window ends.
    pub async fn clear_attempt(
        &self,
        email: &str,
        attempt: PendingAttempt,
    ) -> Result<(), StoreError> {
        let expression = Expression::update("DELETE failures :one")
            .only_when("contains(failures, :id)")
            .value(":id", &attempt.0)
            .string_set(":one", vec![attempt.0]);
        match self
            .table
            .update::<IgnoredAny>(login_failures_key(email), expression)
            .await
        {
            Ok(_) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Adds a failure to the current window, or begins the first one.
    async fn add_failure(
        &self,
        email: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<Recorded, StoreError> {
        let expression = with_failure(
            "ADD failures :one SET window_ends = :ends, expires_at = :expires",
            id,
            now,
        )
        .only_when(
            "attribute_not_exists(pk) OR contains(failures, :id) \
             OR (window_ends > :now \
                 AND (attribute_not_exists(failures) OR size(failures) < :most))",
        )
        .value(":id", id)
        .value(":now", now.as_millisecond())
        .value(":most", FAILURES_MAX);
        match self
            .table
            .update::<IgnoredAny>(login_failures_key(email), expression)
            .await
        {
            Ok(_) => Ok(Recorded::Yes),
            Err(CommitError::Store(error)) => Err(error),
            Err(CommitError::ConditionFailed(failed)) => {
                let found: Option<LoginFailures> = failed.item("item")?;
                let ended = found.filter(|failures| !failures.is_open(now));
                Ok(ended.map_or(Recorded::Locked, |ended| {
                    Recorded::WindowEnded(ended.window_ends)
                }))
            }
        }
    }

    /// Replaces a window that has ended; false when another request did.
    async fn restart_window(
        &self,
        email: &str,
        id: &str,
        ended: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let expression = with_failure(
            "SET failures = :one, window_ends = :ends, expires_at = :expires",
            id,
            now,
        )
        .only_when("window_ends = :ended")
        .value(":ended", ended);
        match self
            .table
            .update::<IgnoredAny>(login_failures_key(email), expression)
            .await
        {
            Ok(_) => Ok(true),
            Err(CommitError::ConditionFailed(_)) => Ok(false),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}

fn with_failure(update: &'static str, id: &str, now: Timestamp) -> Expression {
    let ends = later(now, LOCKOUT);
    Expression::update(update)
        .string_set(":one", vec![id.to_owned()])
        .value(":ends", ends.as_millisecond())
        .value(":expires", ends.as_second())
}

/// The condition that the address is not locked, for a transaction that accepts a
/// password or code: it may have been locked since it was read.
pub(super) fn not_locked(now: Timestamp) -> Expression {
    Expression::when(
        "attribute_not_exists(failures) OR window_ends <= :now OR size(failures) < :most",
    )
    .value(":now", now.as_millisecond())
    .value(":most", FAILURES_MAX)
}
