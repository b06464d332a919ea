//! A user's notifications, page by page.

use dynamo::{Query, StoreError};
use jiff::fmt::serde::timestamp::millisecond;
use kernel::{Limit, NotificationId, OrderId, Timestamp, UserId};
use serde::Deserialize;

use super::{NOTIFICATION_PREFIX, Store, notification_key, partition};
use crate::domain::Status;

/// Template and channel are plain text here, so that a list can show what a
/// newer version of the code wrote.
#[derive(Clone, Debug, Deserialize)]
pub struct ListedNotification {
    sk: String,
    pub template: String,
    /// Missing for a template without data.
    #[serde(default)]
    pub data: ListedData,
    pub title: String,
    pub description: String,
    pub channel: String,
    pub status: Status,
    #[serde(with = "millisecond::required")]
    pub created_at: Timestamp,
    #[serde(default, with = "millisecond::optional")]
    pub settled_at: Option<Timestamp>,
}

/// The part of a message's data that a list shows.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct ListedData {
    pub order_id: Option<OrderId>,
}

impl ListedNotification {
    pub fn id(&self) -> Result<NotificationId, uuid::Error> {
        self.sk.trim_start_matches(NOTIFICATION_PREFIX).parse()
    }
}

impl Store {
    /// Returns up to `limit` notifications, newest first, from the one after
    /// `after` on; and whether there are more.
    pub async fn list(
        &self,
        user_id: UserId,
        limit: Limit,
        after: Option<NotificationId>,
    ) -> Result<(Vec<ListedNotification>, bool), StoreError> {
        let after = after.map(|id| notification_key(user_id, id).into_item());
        let query = Query::partition(&partition(user_id), NOTIFICATION_PREFIX)
            .backwards()
            .after(after);
        self.table.page(query, limit).await
    }
}
