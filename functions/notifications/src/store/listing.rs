//! A person's notifications, page by page.

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo::StoreError;
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
    /// after `after` on; and whether there are more. Costs half a read unit
    /// for every 4 KB on the page.
    ///
    /// # Errors
    /// When the store fails or an item does not read.
    pub async fn list(
        &self,
        user_id: UserId,
        limit: Limit,
        after: Option<NotificationId>,
    ) -> Result<(Vec<Listed>, bool), StoreError> {
        let after = after.map(|id| {
            let key = notification_key(user_id, id);
            let parts = [("pk", key.pk), ("sk", key.sk)];
            parts
                .map(|(name, text)| (name.to_owned(), AttributeValue::S(text)))
                .into()
        });
        let wanted = usize::try_from(limit.get()).unwrap_or(usize::MAX);
        let output = self
            .table
            .client()
            .query()
            .table_name(self.table.name())
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", AttributeValue::S(partition(user_id)))
            .expression_attribute_values(":prefix", AttributeValue::S(NOTIFICATION.to_owned()))
            .scan_index_forward(false)
            // One more than is shown tells whether there are more.
            .limit(i32::try_from(wanted + 1).unwrap_or(i32::MAX))
            .set_exclusive_start_key(after)
            .send()
            .await
            .map_err(|error| StoreError::call("Query", error))?;
        let mut items: Vec<Listed> = serde_dynamo::from_items(output.items.unwrap_or_default())?;
        let more =
            items.len() > wanted || (output.last_evaluated_key.is_some() && !items.is_empty());
        items.truncate(wanted);
        Ok((items, more))
    }
}
