//! A message that waits for, or had, its delivery.

use contracts::{Envelope, events::Channel};
use jiff::Timestamp;
use kernel::{NotificationId, UserId};
use serde::{Deserialize, Serialize};

use super::Message;

/// A message to one person through one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// The id of the event that it tells of: the same event makes the same
    /// notification, so writing it is what counts the event once.
    pub id: NotificationId,
    /// To whom.
    pub user_id: UserId,
    /// Through what.
    pub channel: Channel,
    /// What.
    pub message: Message,
    /// The chain that it belongs to, from the first request on.
    pub correlation_id: String,
    /// When it happened.
    pub created_at: Timestamp,
}

impl Notification {
    /// The e-mail about an event.
    pub fn email(event: &Envelope, user_id: UserId, message: Message) -> Self {
        Self {
            id: NotificationId::from(*event.id.as_uuid()),
            user_id,
            channel: Channel::Email,
            message,
            correlation_id: event.correlationid.clone(),
            created_at: event.time,
        }
    }
}

/// How far a notification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits.
    Queued,
    /// Somebody is delivering it, for a limited time.
    Sending,
    /// The channel took it.
    Sent,
    /// The channel will never take it.
    Failed,
    /// The person does not want to hear of it through the channel. It is kept
    /// for the list, and goes nowhere.
    Suppressed,
}
