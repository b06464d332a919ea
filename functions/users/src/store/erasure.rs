//! Erasing accounts whose grace period has ended.

use contracts::{Envelope, EventData, events::UserErased};
use dynamo::{CommitError, Expression, Key, OutboxItem, Query, StoreError};
use kernel::{Timestamp, UserId};
use serde::Deserialize;

use super::{
    Store,
    listing::count_erased_user,
    outbox::announce,
    rows::{
        CLOSING, EVENTS, Row, SESSIONS, UserItem, address_failures_key, addresses_key, email_key,
        factor_key, user_key, user_partition,
    },
};
use crate::domain::User;

/// The index of closed accounts, by the time of their erasure.
pub(super) const BY_ERASURE: &str = "by-erasure";
/// Items that are read and deleted together.
const BATCH_ITEMS: usize = 100;
/// Batches of one user in one run; the next run continues.
const BATCHES_MAX: usize = 50;

#[derive(Debug, thiserror::Error)]
pub enum EraseUserError {
    /// Its owner may have reopened it.
    #[error("the account was changed concurrently")]
    Conflict,
    #[error("erase a user")]
    Store(#[from] StoreError),
}

#[derive(Deserialize)]
struct IndexKeys {
    pk: String,
}

#[derive(Deserialize)]
struct ItemKeys {
    pk: String,
    sk: String,
}

impl Store {
    /// Accounts whose grace period has ended, the most overdue first.
    pub async fn users_due_for_erasure(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let query = Query::index(BY_ERASURE, "closing = :closing AND erase_at <= :now")
            .value(":closing", CLOSING)
            .value(":now", now.as_millisecond());
        let due: Vec<IndexKeys> = self.table.query(query, limit).await?.items;
        let ids = due.iter().map(|keys| {
            let id = keys.pk.strip_prefix("USER#").unwrap_or_default();
            id.parse().map_err(|error: uuid::Error| StoreError::Call {
                operation: "read the key of a user",
                source: error.into(),
            })
        });
        ids.collect()
    }

    /// A user, or the tombstone of one who is being erased.
    pub async fn user_or_tombstone(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.table.get(user_key(id)).await
    }

    /// Replaces an account by its tombstone and announces the erasure, in one
    /// transaction: from then on the e-mail address is free, and the user is
    /// neither listed nor counted. [`Self::erase_remaining_items`] deletes the rest.
    pub async fn erase_user(
        &self,
        seen: &User,
        tombstone: &User,
        erased: &Envelope,
    ) -> Result<(), EraseUserError> {
        let unchanged = Expression::when("version = :seen").value(":seen", seen.version);
        let email = seen.email.as_str();
        let always = Expression::default;
        let row = UserItem::new(tombstone);
        let transaction = self
            .table
            .transaction()
            .put("user", &Row::new(user_key(seen.id), &row), unchanged)
            .delete("email", email_key(email), always())
            .delete("failures", address_failures_key(email), always())
            .delete("addresses", addresses_key(seen.id), always())
            .delete("factor", factor_key(seen.id), always());
        let transaction = count_erased_user(transaction, seen);
        let transaction = announce(transaction, seen, std::slice::from_ref(erased));
        match transaction.commit().await {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            // The event exists already: the reply to this transaction was lost.
            Err(CommitError::ConditionFailed(failed)) if failed.includes("event") => Ok(()),
            Err(CommitError::ConditionFailed(_)) => Err(EraseUserError::Conflict),
        }
    }

    /// Deletes the sessions and the history (which has names and addresses) of an
    /// erased user, except for the event of the erasure, and last the tombstone.
    /// Returns whether nothing is left to do: an event that is not published yet
    /// has to wait.
    pub async fn erase_remaining_items(&self, id: UserId) -> Result<bool, StoreError> {
        let partition = user_partition(id);
        if !self.delete_sessions(&partition).await? || !self.delete_events(&partition).await? {
            return Ok(false);
        }
        let erasing = Expression::when("erasing = :yes").value(":yes", true);
        match self.table.delete(user_key(id), erasing).await {
            // A condition that failed: another run has done it.
            Ok(()) | Err(CommitError::ConditionFailed(_)) => Ok(true),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    async fn delete_sessions(&self, partition: &str) -> Result<bool, StoreError> {
        for _ in 0..BATCHES_MAX {
            let sessions: Vec<ItemKeys> = self.table.list(partition, SESSIONS, BATCH_ITEMS).await?;
            if sessions.is_empty() {
                return Ok(true);
            }
            let keys = sessions.into_iter().map(|item| Key::new(item.pk, item.sk));
            self.table.delete_many(keys.collect()).await?;
        }
        Ok(false)
    }

    async fn delete_events(&self, partition: &str) -> Result<bool, StoreError> {
        for _ in 0..BATCHES_MAX {
            let events: Vec<OutboxItem> = self.table.list(partition, EVENTS, BATCH_ITEMS).await?;
            let mut others = Vec::with_capacity(events.len());
            for item in events {
                let event = item.envelope().map_err(|error| StoreError::Call {
                    operation: "read a user's event",
                    source: error.into(),
                })?;
                if event.event_type != UserErased::TYPE {
                    others.push(item);
                }
            }
            let published = others.iter().filter(|item| item.unsent.is_none());
            let keys: Vec<Key> = published
                .map(|item| Key::new(item.pk.clone(), item.sk.clone()))
                .collect();
            if keys.is_empty() {
                return Ok(others.is_empty());
            }
            self.table.delete_many(keys).await?;
        }
        Ok(false)
    }
}
