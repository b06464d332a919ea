//! New notifications, each with the event that it waits.

use contracts::{Envelope, events::Channel};
use dynamo::{CommitError, Expression, Keep, StoreError};
use jiff::{Timestamp, fmt::serde::timestamp::millisecond::required as millisecond};
use serde::Serialize;

use super::{Store, notification_key};
use crate::domain::{Message, Notification, Status};

/// What became of a notification that was to be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    /// It waits now.
    Now,
    /// It was queued before: the event came twice, or the reply of the first
    /// try was lost.
    Before,
}

#[derive(Serialize)]
struct NotificationItem<'a> {
    pk: String,
    sk: String,
    #[serde(flatten)]
    message: &'a Message,
    // Kept, so that a list can show notifications whose template it does not
    // know (yet, or any more).
    title: &'static str,
    description: String,
    channel: Channel,
    status: Status,
    #[serde(with = "millisecond")]
    created_at: Timestamp,
    correlation_id: &'a str,
}

impl<'a> NotificationItem<'a> {
    fn new(notification: &'a Notification, status: Status) -> Self {
        let key = notification_key(notification.user_id, notification.id);
        Self {
            pk: key.pk,
            sk: key.sk,
            message: &notification.message,
            title: notification.message.title(),
            description: notification.message.description(),
            channel: notification.channel,
            status,
            created_at: notification.created_at,
            correlation_id: &notification.correlation_id,
        }
    }
}

impl Store {
    /// Keeps a notification that goes nowhere, unless it is there: when the
    /// event comes again after the person has changed their mind, what was
    /// decided first stays.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn suppress(&self, notification: &Notification) -> Result<(), StoreError> {
        let item = NotificationItem::new(notification, Status::Suppressed);
        let new = Expression::when("attribute_not_exists(pk)");
        match self.table.put(&item, new).await {
            Ok(()) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Writes a notification and the event that it waits, both or neither. The
    /// notification's id is the id of what it tells of, so there is only ever
    /// one of it, and only one event.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn queue(
        &self,
        notification: &Notification,
        queued: &Envelope,
    ) -> Result<Queued, StoreError> {
        let item = NotificationItem::new(notification, Status::Queued);
        let pk = item.pk.clone();
        let transaction = self.table.transaction().insert("notification", &item);
        let event_sk = format!("EVENT#{}", queued.id);
        match transaction
            .announce(&pk, &event_sk, queued, Keep::ThirtyDays)
            .commit()
            .await
        {
            Ok(()) => Ok(Queued::Now),
            Err(CommitError::ConditionFailed(_)) => Ok(Queued::Before),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}
