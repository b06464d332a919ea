//! Counting failures to log in.

use dynamo::{CommitError, Expression, StoreError};
use kernel::Timestamp;
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::{
    Store,
    rows::{attempts_key, later},
};
use crate::domain::{Attempts, FAILURES_MAX, LOCKED_FOR};

/// Tries to count a failure while others count theirs.
const ATTEMPTS_MAX: u32 = 3;

impl Store {
    /// The failures to log in with an address.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn attempts(&self, email: &str) -> Result<Attempts, StoreError> {
        let attempts = self.table.get(attempts_key(email)).await?;
        Ok(attempts.unwrap_or_default())
    }

    /// Counts a failure to log in with an address. Each is added to a set by
    /// an id of its own, so one whose reply is lost and that is sent again
    /// still counts once. While the address is locked nothing changes, so that
    /// guessing on does not keep its owner out for longer.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn count_failure(&self, email: &str, now: Timestamp) -> Result<(), StoreError> {
        let failure = Uuid::now_v7().simple().to_string();
        for _ in 0..ATTEMPTS_MAX {
            let Some(closed) = self.add_failure(email, &failure, now).await? else {
                return Ok(());
            };
            if self.restart(email, &failure, closed, now).await? {
                return Ok(());
            }
        }
        // Others restarted the window each time; theirs are counted in it.
        Ok(())
    }

    /// Adds a failure to the open window, or begins the first. Gives the end
    /// of a window that is over.
    async fn add_failure(
        &self,
        email: &str,
        failure: &str,
        now: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        let expression = counted(
            "ADD failures :one SET window_ends = :ends, expires_at = :expires",
            failure,
            now,
        )
        .only_when(
            "attribute_not_exists(pk) OR contains(failures, :id) \
             OR (window_ends > :now AND size(failures) < :most)",
        )
        .value(":id", failure)
        .value(":now", now.as_millisecond())
        .value(":most", FAILURES_MAX);
        match self
            .table
            .update::<IgnoredAny>(attempts_key(email), expression)
            .await
        {
            Ok(_) => Ok(None),
            Err(CommitError::Store(error)) => Err(error),
            Err(CommitError::Refused(refused)) => {
                let found: Option<Attempts> = refused.item("item")?;
                Ok(found
                    .filter(|attempts| !attempts.is_open(now))
                    .map(|attempts| attempts.window_ends))
            }
        }
    }

    /// Begins a new window in place of one that is over; false when somebody
    /// else did.
    async fn restart(
        &self,
        email: &str,
        failure: &str,
        closed: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let expression = counted(
            "SET failures = :one, window_ends = :ends, expires_at = :expires",
            failure,
            now,
        )
        .only_when("window_ends = :closed")
        .value(":closed", closed);
        match self
            .table
            .update::<IgnoredAny>(attempts_key(email), expression)
            .await
        {
            Ok(_) => Ok(true),
            Err(CommitError::Refused(_)) => Ok(false),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}

fn counted(update: &'static str, failure: &str, now: Timestamp) -> Expression {
    let ends = later(now, LOCKED_FOR);
    Expression::update(update)
        .string_set(":one", vec![failure.to_owned()])
        .value(":ends", ends.as_millisecond())
        .value(":expires", ends.as_second())
}

/// The condition, for a transaction that logs somebody in and forgets the
/// failures, that the address is not locked: neither when it was read nor now.
pub(super) fn not_locked(now: Timestamp) -> Expression {
    Expression::when("attribute_not_exists(pk) OR window_ends <= :now OR size(failures) < :most")
        .value(":now", now.as_millisecond())
        .value(":most", FAILURES_MAX)
}
