//! Users' contact data, and its erasure.

use contracts::events::Preferences;
use dynamo::{CommitError, Expression, Key, StoreError};
use jiff::fmt::serde::timestamp::millisecond::required as millisecond;
use kernel::{Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::{
    NOTIFICATION_PREFIX, Store, UNLISTED_PREFIX, VERIFIED_PREFIX, contact_key, partition,
    verified_key,
};
use crate::domain::{Contact, ContactState};

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
    /// The item of an erased user stays, emptied, so that a late event does not
    /// restore the contact data.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
}

#[derive(Serialize, Deserialize)]
struct VerifiedItem {
    pk: String,
    sk: String,
}

#[derive(Deserialize)]
struct ItemKey {
    pk: String,
    sk: String,
}

/// Items that are deleted together.
const ERASE_PAGE: usize = 100;
/// Pages of one call, at some 30 ms each: 10,000 items within the
/// function's ten seconds.
const ERASE_PAGES_MAX: u32 = 100;

impl Store {
    /// Saves contact data unless newer data is known: events arrive in any
    /// order, and more than once. Returns `false` for an erased user.
    pub async fn save_contact(&self, contact: &Contact) -> Result<bool, StoreError> {
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
            Err(CommitError::ConditionFailed(failed)) => {
                let known: Option<ContactItem> = failed.item("item")?;
                Ok(known.is_none_or(|known| !known.erased))
            }
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Reads what is known of a user, strongly consistent.
    pub async fn contact(&self, user_id: UserId) -> Result<ContactState, StoreError> {
        let item: Option<ContactItem> = self.table.get(contact_key(user_id)).await?;
        Ok(match item {
            None => ContactState::Unknown,
            Some(item) if item.erased => ContactState::Erased,
            Some(item) => ContactState::Known(Contact {
                user_id,
                email: item.email,
                name: item.name,
                preferences: item.preferences,
                updated_at: item.updated_at,
            }),
        })
    }

    /// Records that a user has proven to own an address. Earlier ones stay
    /// recorded: the warning that an account has left an address goes there, in
    /// any order with the event about the new one.
    pub async fn save_verified(&self, user_id: UserId, email: &str) -> Result<(), StoreError> {
        if self.contact(user_id).await? == ContactState::Erased {
            return Ok(());
        }
        let key = verified_key(user_id, email);
        let item = VerifiedItem {
            pk: key.pk,
            sk: key.sk,
        };
        match self.table.put(&item, Expression::default()).await {
            Ok(()) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Whether a user has proven to own an address.
    pub async fn is_verified(&self, user_id: UserId, email: &str) -> Result<bool, StoreError> {
        let key = verified_key(user_id, email);
        let item: Option<VerifiedItem> = self.table.get(key).await?;
        Ok(item.is_some())
    }

    /// Erases a user's contact data and notifications. Idempotent, and safe to
    /// repeat after a partial failure.
    ///
    /// # Errors
    /// When the store fails, or there are more notifications than one call
    /// deletes; another call continues.
    pub async fn erase(&self, user_id: UserId, now: Timestamp) -> Result<(), StoreError> {
        let key = contact_key(user_id);
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
        let pk = partition(user_id);
        let mut pages = 0..ERASE_PAGES_MAX;
        for prefix in [VERIFIED_PREFIX, UNLISTED_PREFIX, NOTIFICATION_PREFIX] {
            loop {
                let page: Vec<ItemKey> = self.table.list(&pk, prefix, ERASE_PAGE).await?;
                if page.is_empty() {
                    break;
                }
                if pages.next().is_none() {
                    return Err(StoreError::Contended {
                        operation: "erase a user",
                        attempts: ERASE_PAGES_MAX,
                    });
                }
                let keys = page.into_iter().map(|key| Key::new(key.pk, key.sk));
                self.table.delete_many(keys.collect()).await?;
            }
        }
        Ok(())
    }
}
