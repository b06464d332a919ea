//! What happened to a user.

use contracts::Envelope;
use dynamo::{OutboxItem, PageOf, StoreError};
use kernel::{EventId, Limit, UserId};

use super::{
    Store,
    rows::{EVENTS, user_partition},
};

impl Store {
    /// Up to `limit` of a user's events, oldest first, from the one after
    /// `after` on; and the last of them, when there are more.
    ///
    /// # Errors
    /// When the store fails or an event does not read.
    pub async fn history(
        &self,
        id: UserId,
        limit: Limit,
        after: Option<EventId>,
    ) -> Result<(Vec<Envelope>, Option<EventId>), StoreError> {
        let page = PageOf {
            pk: user_partition(id),
            prefix: EVENTS,
            after: after.map(|event| format!("{EVENTS}{event}")),
            limit,
            backwards: false,
            consistent: true,
        };
        let (items, more): (Vec<OutboxItem>, _) = self.table.page(page).await?;
        let events: Result<Vec<Envelope>, _> = items.iter().map(OutboxItem::envelope).collect();
        let events = events.map_err(|error| StoreError::call("read a user's event", error))?;
        let last = events.last().map(|event| event.id).filter(|_| more);
        Ok((events, last))
    }
}
