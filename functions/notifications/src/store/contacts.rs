//! How people are reached.

use contracts::events::Preferences;
use dynamo::{CommitError, Expression, Key, StoreError};
use jiff::{Timestamp, fmt::serde::timestamp::millisecond::required as millisecond};
use kernel::UserId;
use serde::{Deserialize, Serialize};

use super::{NOTIFICATION, Store, contact_key};
use crate::domain::{Contact, Reach};

#[derive(Serialize, Deserialize)]
struct ContactItem {
    pk: String,
    sk: String,
    email: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preferences: Option<Preferences>,
    #[serde(with = "millisecond")]
    updated_at: Timestamp,
    /// Whether the person was erased: then there is nothing else here, and it
    /// stays, so that an event that comes late does not bring the person back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
}

/// Notifications that are removed together.
const FORGOTTEN_PAGE: i32 = 100;
/// How often that is done in one call, at some 30 ms each: within the
/// function's ten seconds, for 10,000 notifications.
const FORGOTTEN_PAGES_MAX: u32 = 100;

#[derive(Deserialize)]
struct Told {
    pk: String,
    sk: String,
}

impl Store {
    /// Keeps how a person is reached, unless something newer is known: events
    /// come in any order, and more than once. Gives false for somebody who was
    /// erased.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remember(&self, contact: &Contact) -> Result<bool, StoreError> {
        let key = contact_key(contact.user_id);
        let item = ContactItem {
            pk: key.pk,
            sk: key.sk,
            email: contact.email.clone(),
            name: contact.name.clone(),
            preferences: contact.preferences,
            updated_at: contact.updated_at,
            erased: false,
        };
        let newer = Expression::when("attribute_not_exists(pk) OR (updated_at < :updated_at AND attribute_not_exists(erased))")
            .value(":updated_at", contact.updated_at.as_millisecond());
        match self.table.put(&item, newer).await {
            Ok(()) => Ok(true),
            Err(CommitError::ConditionFailed(refused)) => {
                let known: Option<ContactItem> = refused.item("item")?;
                Ok(known.is_none_or(|known| !known.erased))
            }
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// How a person is reached.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn reach(&self, user_id: UserId) -> Result<Reach, StoreError> {
        let item: Option<ContactItem> = self.table.get(contact_key(user_id)).await?;
        Ok(match item {
            None => Reach::Unknown,
            Some(item) if item.erased => Reach::Erased,
            Some(item) => Reach::At(Contact {
                user_id,
                email: item.email,
                name: item.name,
                preferences: item.preferences,
                updated_at: item.updated_at,
            }),
        })
    }

    /// Forgets a person for good: how they are reached, and all that they were
    /// told. Safe to do again, from wherever it broke off.
    ///
    /// # Errors
    /// When the store fails, or there is more than one call removes; then
    /// calling again goes on.
    pub async fn forget(&self, user_id: UserId, now: Timestamp) -> Result<(), StoreError> {
        let key = contact_key(user_id);
        let pk = key.pk.clone();
        let erased = ContactItem {
            pk: key.pk,
            sk: key.sk,
            email: String::new(),
            name: String::new(),
            preferences: None,
            updated_at: now,
            erased: true,
        };
        match self.table.put(&erased, Expression::default()).await {
            Ok(()) | Err(CommitError::ConditionFailed(_)) => {}
            Err(CommitError::Store(error)) => return Err(error),
        }
        for _ in 0..FORGOTTEN_PAGES_MAX {
            let told: Vec<Told> = self.table.list(&pk, NOTIFICATION, FORGOTTEN_PAGE).await?;
            if told.is_empty() {
                return Ok(());
            }
            let keys = told.into_iter().map(|told| Key::new(told.pk, told.sk));
            self.table.delete_many(keys.collect()).await?;
        }
        Err(StoreError::Contended {
            operation: "forget a person",
            attempts: FORGOTTEN_PAGES_MAX,
        })
    }
}
