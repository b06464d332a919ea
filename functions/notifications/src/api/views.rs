//! Notifications as clients see them.

use kernel::{NotificationId, OrderId, Timestamp};
use serde::Serialize;

use crate::{domain::Status, store::ListedNotification};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NotificationView {
    pub(super) id: NotificationId,
    #[serde(rename = "type")]
    template: String,
    title: String,
    description: String,
    channel: String,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_at: Option<Timestamp>,
}

impl TryFrom<ListedNotification> for NotificationView {
    type Error = uuid::Error;

    fn try_from(listed: ListedNotification) -> Result<Self, uuid::Error> {
        Ok(Self {
            id: listed.id()?,
            template: listed.template,
            title: listed.title,
            description: listed.description,
            channel: listed.channel,
            status: listed.status,
            order_id: listed.data.order_id,
            created_at: listed.created_at,
            settled_at: listed.settled_at,
        })
    }
}
