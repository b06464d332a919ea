//! The history of a user.

use contracts::Envelope;
use dynamo::{OutboxItem, Query, StoreError};
use kernel::{EventId, Limit, UserId};

use super::{
    Store,
    rows::{EVENTS, event_key, user_partition},
};

impl Store {
    /// A page of a user's events, oldest first, after the event `after`; and the
    /// id of the last one, if there are more.
    ///
    /// # Errors
    /// When the store fails or an event cannot be read.
    pub async fn history(
        &self,
        id: UserId,
        limit: Limit,
        after: Option<EventId>,
    ) -> Result<(Vec<Envelope>, Option<EventId>), StoreError> {
        let query = Query::partition(&user_partition(id), EVENTS)
            .consistent()
            .after(after.map(|event| event_key(id, event).into_item()));
        let (items, has_more): (Vec<OutboxItem>, _) = self.table.page(query, limit).await?;
        let events: Result<Vec<Envelope>, _> = items.iter().map(OutboxItem::envelope).collect();
        let events = events.map_err(|error| StoreError::call("read a user's event", error))?;
        let last = events.last().map(|event| event.id).filter(|_| has_more);
        Ok((events, last))
    }
}
