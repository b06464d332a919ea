//! New notifications.

use contracts::{Envelope, events::Channel};
use dynamo::{CommitError, Expression, Keep, StoreError};
use jiff::fmt::serde::timestamp::millisecond::required as millisecond;
use kernel::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Store, notification_key, unlisted_key};
use crate::domain::{Message, Notification, Status};

/// How long a message is kept: two years, as long as a seller is liable for goods
/// (Directive (EU) 2019/771, article 10), so that what a customer was told can be
/// looked up, and no longer, because it says what a person bought.
const RETENTION: SignedDuration = SignedDuration::from_hours(2 * 366 * 24);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnqueueOutcome {
    Enqueued,
    /// The event was delivered twice, or the reply to the first write was lost.
    AlreadyEnqueued,
}

#[derive(Serialize)]
struct NotificationItem<'a> {
    pk: String,
    sk: String,
    #[serde(flatten)]
    message: &'a Message,
    // Stored, so that a list can show notifications whose template this version
    // of the code does not know.
    title: &'static str,
    description: String,
    channel: Channel,
    status: Status,
    #[serde(with = "millisecond")]
    created_at: Timestamp,
    correlation_id: &'a str,
    /// Set now and not when the message has been sent, because it may never be.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl<'a> NotificationItem<'a> {
    fn new(notification: &'a Notification, status: Status) -> Self {
        let key = if notification.unlisted {
            unlisted_key(notification.user_id, notification.id)
        } else {
            notification_key(notification.user_id, notification.id)
        };
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
            expires_at: {
                let end = notification.created_at.saturating_add(RETENTION).ok();
                end.map(Timestamp::as_second)
            },
        }
    }
}

impl Store {
    /// Records a notification that is not delivered, unless it exists: a
    /// repeated event does not revise an earlier decision after the user has
    /// changed their preferences.
    pub async fn suppress(&self, notification: &Notification) -> Result<(), StoreError> {
        let item = NotificationItem::new(notification, Status::Suppressed);
        let is_new = Expression::when("attribute_not_exists(pk)");
        match self.table.put(&item, is_new).await {
            Ok(()) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Records a notification together with its `notification.queued` event.
    /// The notification has the id of the event it is about, so there is only
    /// ever one of both.
    pub async fn enqueue(
        &self,
        notification: &Notification,
        queued: &Envelope,
    ) -> Result<EnqueueOutcome, StoreError> {
        let item = NotificationItem::new(notification, Status::Queued);
        let pk = item.pk.clone();
        let event_sk = format!("EVENT#{}", queued.id);
        let transaction = self
            .table
            .transaction()
            .insert("notification", &item)
            .announce(&pk, &event_sk, queued, Keep::ThirtyDays);
        match transaction.commit().await {
            Ok(()) => Ok(EnqueueOutcome::Enqueued),
            Err(CommitError::ConditionFailed(_)) => Ok(EnqueueOutcome::AlreadyEnqueued),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}
