//! A message to a user, and its delivery.

use contracts::{Envelope, events::Channel};
use kernel::{NotificationId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::Message;

#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// The id of the event that it is about, so a repeated event makes the same
    /// notification, and inserting it makes the event count once.
    pub id: NotificationId,
    pub user_id: UserId,
    pub channel: Channel,
    pub message: Message,
    pub correlation_id: String,
    /// When the event happened.
    pub created_at: Timestamp,
    /// Whether the user's own lists and exports leave it out, because it would reveal
    /// something about somebody else.
    pub unlisted: bool,
}

impl Notification {
    pub fn email(event: &Envelope, user_id: UserId, message: Message) -> Self {
        Self {
            id: NotificationId::from(*event.id.as_uuid()),
            user_id,
            channel: Channel::Email,
            message,
            correlation_id: event.correlationid.clone(),
            created_at: event.time,
            unlisted: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Queued,
    /// An attempt to deliver it holds a claim.
    Sending,
    /// The channel accepted it.
    Sent,
    /// The channel rejected it for good.
    Failed,
    /// The user's preferences exclude the channel, or the address got too many
    /// messages: it is listed, not delivered.
    Suppressed,
}
