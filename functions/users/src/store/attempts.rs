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

/// A try that counts as a failure until it is taken back.
#[derive(Debug)]
pub struct Try(String);

enum Added {
    Yes,
    /// The address is locked.
    Full,
    /// The window is over, and ended then.
    Over(i64),
}

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
        self.begin_try(email, now).await.map(drop)
    }

    /// Counts a failure before anybody knows whether it will be one, to be
    /// taken back ([`Self::take_back`]) when it was none. So no more tries than
    /// there may be failures are under way at once, and sending many together
    /// gains nothing. `None` while the address is locked.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn begin_try(&self, email: &str, now: Timestamp) -> Result<Option<Try>, StoreError> {
        let failure = Uuid::now_v7().simple().to_string();
        for _ in 0..ATTEMPTS_MAX {
            match self.add_failure(email, &failure, now).await? {
                Added::Yes => return Ok(Some(Try(failure))),
                Added::Full => return Ok(None),
                Added::Over(closed) => {
                    if self.restart(email, &failure, closed, now).await? {
                        return Ok(Some(Try(failure)));
                    }
                }
            }
        }
        // Others restarted the window each time; theirs are counted in it.
        Ok(None)
    }

    /// Takes back a try that was no failure.
    ///
    /// # Errors
    /// When the store fails; then it counts, until the window is over.
    pub async fn take_back(&self, email: &str, was: Try) -> Result<(), StoreError> {
        let expression = Expression::update("DELETE failures :one")
            .only_when("contains(failures, :id)")
            .value(":id", &was.0)
            .string_set(":one", vec![was.0]);
        match self
            .table
            .update::<IgnoredAny>(attempts_key(email), expression)
            .await
        {
            Ok(_) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Adds a failure to the open window, or begins the first.
    async fn add_failure(
        &self,
        email: &str,
        failure: &str,
        now: Timestamp,
    ) -> Result<Added, StoreError> {
        let expression = counted(
            "ADD failures :one SET window_ends = :ends, expires_at = :expires",
            failure,
            now,
        )
        .only_when(
            "attribute_not_exists(pk) OR contains(failures, :id) \
             OR (window_ends > :now \
                 AND (attribute_not_exists(failures) OR size(failures) < :most))",
        )
        .value(":id", failure)
        .value(":now", now.as_millisecond())
        .value(":most", FAILURES_MAX);
        match self
            .table
            .update::<IgnoredAny>(attempts_key(email), expression)
            .await
        {
            Ok(_) => Ok(Added::Yes),
            Err(CommitError::Store(error)) => Err(error),
            Err(CommitError::ConditionFailed(refused)) => {
                let found: Option<Attempts> = refused.item("item")?;
                let over = found.filter(|attempts| !attempts.is_open(now));
                Ok(over.map_or(Added::Full, |over| Added::Over(over.window_ends)))
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
            Err(CommitError::ConditionFailed(_)) => Ok(false),
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
    Expression::when(
        "attribute_not_exists(failures) OR window_ends <= :now OR size(failures) < :most",
    )
    .value(":now", now.as_millisecond())
    .value(":most", FAILURES_MAX)
}
