//! What happened to a user.

use aws_sdk_dynamodb::types::AttributeValue;
use contracts::Envelope;
use dynamo::{OutboxItem, StoreError};
use kernel::{EventId, Limit, UserId};

use super::{
    Store,
    rows::{EVENTS, user_partition},
};

impl Store {
    /// Up to `limit` of a user's events, oldest first, from the one after
    /// `after` on; and the last of them, when there are more. Costs a read unit
    /// for every 4 KB on the page.
    ///
    /// # Errors
    /// When the store fails or an event does not read.
    pub async fn history(
        &self,
        id: UserId,
        limit: Limit,
        after: Option<EventId>,
    ) -> Result<(Vec<Envelope>, Option<EventId>), StoreError> {
        let text = |text: String| AttributeValue::S(text);
        let wanted = usize::try_from(limit.get()).unwrap_or(1);
        let start = after.map(|event| {
            let key = [
                ("pk", user_partition(id)),
                ("sk", format!("{EVENTS}{event}")),
            ];
            key.map(|(name, value)| (name.to_owned(), text(value)))
                .into()
        });
        let output = self
            .table
            .client()
            .query()
            .table_name(self.table.name())
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", text(user_partition(id)))
            .expression_attribute_values(":prefix", text(EVENTS.to_owned()))
            .consistent_read(true)
            // One more than is shown tells whether there are more.
            .limit(i32::try_from(wanted + 1).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| StoreError::call("Query", error))?;
        let mut items: Vec<OutboxItem> =
            serde_dynamo::from_items(output.items.unwrap_or_default())?;
        let more = items.len() > wanted || output.last_evaluated_key.is_some();
        items.truncate(wanted);
        let events: Result<Vec<Envelope>, _> = items.iter().map(OutboxItem::envelope).collect();
        let events = events.map_err(|error| StoreError::call("read a user's event", error))?;
        let last = events.last().map(|event| event.id).filter(|_| more);
        Ok((events, last))
    }
}
