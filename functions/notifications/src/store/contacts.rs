//! How people are reached.

use contracts::events::Preferences;
use dynamo::{CommitError, Expression, StoreError};
use jiff::{Timestamp, fmt::serde::timestamp::millisecond::required as millisecond};
use kernel::UserId;
use serde::{Deserialize, Serialize};

use super::{Store, contact_key};
use crate::domain::Contact;

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
}

impl Store {
    /// Keeps how a person is reached, unless something newer is known: events
    /// come in any order, and more than once.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remember(&self, contact: &Contact) -> Result<(), StoreError> {
        let key = contact_key(contact.user_id);
        let item = ContactItem {
            pk: key.pk,
            sk: key.sk,
            email: contact.email.clone(),
            name: contact.name.clone(),
            preferences: contact.preferences,
            updated_at: contact.updated_at,
        };
        let newer = Expression::when("attribute_not_exists(pk) OR updated_at < :updated_at")
            .value(":updated_at", contact.updated_at.as_millisecond());
        match self.table.put(&item, newer).await {
            Ok(()) | Err(CommitError::Refused(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// How a person is reached, when that is known.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn contact(&self, user_id: UserId) -> Result<Option<Contact>, StoreError> {
        let item: Option<ContactItem> = self.table.get(contact_key(user_id)).await?;
        Ok(item.map(|item| Contact {
            user_id,
            email: item.email,
            name: item.name,
            preferences: item.preferences,
            updated_at: item.updated_at,
        }))
    }
}
