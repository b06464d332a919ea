//! A person's notifications, page by page.

use dynamo::{PageOf, StoreError};
use jiff::{Timestamp, fmt::serde::timestamp::millisecond};
use kernel::{Limit, NotificationId, OrderId, UserId};
use serde::Deserialize;

use super::{NOTIFICATION, Store, notification_key, partition};
use crate::domain::Status;

/// A notification as a list shows it. Template and channel are plain texts
/// here, so that a list can show what a newer function wrote.
#[derive(Clone, Debug, Deserialize)]
pub struct Listed {
    sk: String,
    /// The template.
    pub template: String,
    /// What the template is about; a template that has nothing to fill in has
    /// none.
    #[serde(default)]
    pub data: Subject,
    /// A headline.
    pub title: String,
    /// One sentence.
    pub description: String,
    /// Through what it goes.
    pub channel: String,
    /// How far it is.
    pub status: Status,
    /// When it happened.
    #[serde(with = "millisecond::required")]
    pub created_at: Timestamp,
    /// When its delivery ended.
    #[serde(default, with = "millisecond::optional")]
    pub settled_at: Option<Timestamp>,
}

/// What a message is about; nothing else of its data is for a list.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Subject {
    /// An order.
    pub order_id: Option<OrderId>,
}

impl Listed {
    /// The notification's id.
    ///
    /// # Errors
    /// When the key is not one of a notification.
    pub fn id(&self) -> Result<NotificationId, uuid::Error> {
        self.sk.trim_start_matches(NOTIFICATION).parse()
    }
}

impl Store {
    /// Up to `limit` of a person's notifications, newest first, from the one
    /// after `after` on; and whether there are more.
    ///
    /// # Errors
    /// When the store fails or an item does not read.
    pub async fn list(
        &self,
        user_id: UserId,
        limit: Limit,
        after: Option<NotificationId>,
    ) -> Result<(Vec<Listed>, bool), StoreError> {
        let page = PageOf {
            pk: partition(user_id),
            prefix: NOTIFICATION,
            after: after.map(|id| notification_key(user_id, id).sk),
            limit,
            backwards: true,
            consistent: false,
        };
        self.table.page(page).await
    }
}
