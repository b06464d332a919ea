//! Erasing accounts whose owners closed them and did not come back.

use aws_sdk_dynamodb::types::AttributeValue;
use contracts::{Envelope, EventData, events::UserErased};
use dynamo::{CommitError, Expression, Key, OutboxItem, StoreError};
use kernel::{Timestamp, UserId};
use serde::Deserialize;

use super::{
    Store,
    listing::counting_out,
    rows::{
        CLOSING, EVENTS, Row, SESSIONS, UserItem, addresses_key, attempts_key, email_key,
        factor_key, user_key, user_partition,
    },
};
use crate::domain::User;

/// The index of accounts that are to be erased, by when.
pub(super) const BY_ERASURE: &str = "by-erasure";
/// Items of a person that are looked at together.
const PAGE: i32 = 100;
/// How often that is done for one person in one round; the next goes on.
const PAGES_MAX: usize = 50;

/// Why an account was not forgotten.
#[derive(Debug, thiserror::Error)]
pub enum ForgetUserError {
    /// It was changed meanwhile: its owner may have come back.
    #[error("the account was changed meanwhile")]
    Conflict,
    /// The store failed.
    #[error("forget a user")]
    Store(#[from] StoreError),
}

#[derive(Deserialize)]
struct Listed {
    pk: String,
}

#[derive(Deserialize)]
struct Sorted {
    pk: String,
    sk: String,
}

impl Store {
    /// Accounts whose time is over, those that have waited longest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn to_be_erased(&self, now: Timestamp, most: i32) -> Result<Vec<UserId>, StoreError> {
        let page = self
            .table
            .client()
            .query()
            .table_name(self.table.name())
            .index_name(BY_ERASURE)
            .key_condition_expression("closing = :closing AND erase_at <= :now")
            .expression_attribute_values(":closing", AttributeValue::S(CLOSING.to_owned()))
            .expression_attribute_values(
                ":now",
                AttributeValue::N(now.as_millisecond().to_string()),
            )
            .limit(most)
            .send()
            .await
            .map_err(|error| StoreError::call("Query", error))?;
        let listed: Vec<Listed> = serde_dynamo::from_items(page.items.unwrap_or_default())?;
        let ids = listed.iter().map(|listed| {
            let id = listed.pk.strip_prefix("USER#").unwrap_or_default();
            id.parse().map_err(|error: uuid::Error| StoreError::Call {
                operation: "read the key of a user",
                source: error.into(),
            })
        });
        ids.collect()
    }

    /// A user by id, or what is left of one who is being erased.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn user_or_rest(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.table.get(user_key(id)).await
    }

    /// Takes the person out of an account, for good, and announces it: the
    /// address is free, and nobody is listed or counted. What is left says
    /// only that the rest has to go ([`Self::erase_what_is_left`]).
    ///
    /// # Errors
    /// [`ForgetUserError`].
    pub async fn forget(
        &self,
        seen: &User,
        erased: &User,
        announced: &Envelope,
    ) -> Result<(), ForgetUserError> {
        let as_seen = Expression::when("version = :seen").value(":seen", seen.version);
        let email = seen.email.as_str();
        let gone = Expression::default;
        let transaction = self
            .table
            .transaction()
            .put(
                "user",
                &Row::new(user_key(seen.id), &UserItem::new(erased)),
                as_seen,
            )
            .delete("email", email_key(email), gone())
            .delete("attempts", attempts_key(email), gone())
            .delete("addresses", addresses_key(seen.id), gone())
            .delete("factor", factor_key(seen.id), gone());
        let transaction = counting_out(transaction, seen);
        let events = std::slice::from_ref(announced);
        match self.announcing(transaction, seen, events).commit().await {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            // The event has an id of its own: when it is there, this very
            // transaction happened, and its reply was lost.
            Err(CommitError::ConditionFailed(refused)) if refused.names("event") => Ok(()),
            Err(CommitError::ConditionFailed(_)) => Err(ForgetUserError::Conflict),
        }
    }

    /// Removes what there is of somebody who was forgotten: sessions, and the
    /// history, which has names and addresses in it. That it was erased stays.
    /// Gives whether nothing is left to do; an event that is still to be
    /// published is left for another time.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn erase_what_is_left(&self, id: UserId) -> Result<bool, StoreError> {
        let partition = user_partition(id);
        if !self.erase_sessions(&partition).await? || !self.erase_events(&partition).await? {
            return Ok(false);
        }
        let erasing = Expression::when("erasing = :yes").value(":yes", true);
        match self.table.delete(user_key(id), erasing).await {
            // Refused: somebody else has done it.
            Ok(()) | Err(CommitError::ConditionFailed(_)) => Ok(true),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    async fn erase_sessions(&self, partition: &str) -> Result<bool, StoreError> {
        for _ in 0..PAGES_MAX {
            let sessions: Vec<Sorted> = self.table.list(partition, SESSIONS, PAGE).await?;
            if sessions.is_empty() {
                return Ok(true);
            }
            let keys = sessions.into_iter().map(|item| Key::new(item.pk, item.sk));
            self.table.delete_many(keys.collect()).await?;
        }
        Ok(false)
    }

    async fn erase_events(&self, partition: &str) -> Result<bool, StoreError> {
        for _ in 0..PAGES_MAX {
            let events: Vec<OutboxItem> = self.table.list(partition, EVENTS, PAGE).await?;
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
