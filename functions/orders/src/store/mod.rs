//! Orders in DynamoDB. No other module of the service knows it.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | the snapshot: the order's current state and its address | `ORDER#<id>` | `ORDER` |
//! | its events: both history and outbox | `ORDER#<id>` | `EVENT#000001` |
//! | an event that contradicts its order | `CONTRADICTIONS` | `<time>#<event id>` |
//! | the reply to an idempotency key | `IDEMPOTENCY#<hash>` | `IDEMPOTENCY` |
//! | how far an erased user's orders are anonymised, see [`anonymising`] | `ANONYMISING#<user id>` | `ANONYMISING` |
//! | the open orders and declined payments of a holder, see [`holds`] | `HOLDER#…` | `HOLDER` |
//!
//! The index `by-user` has the keys of the snapshots under attributes that
//! never change, so that no transition writes to it. The index `open` has them
//! while the order is open, and while goods that were sold to it are not back in
//! stock: two writes in an order's life.

use contracts::Envelope;
use dynamo::{
    CommitError, Expression, Index, IndexKey, Item, Keep, Key, OutboxItem, Query, Quota, RateLimit,
    StoreError, Table, TableSchema,
    idempotency::{Claim, ClaimError, Claimed, abandon, claim, release},
};
use kernel::{IdempotencyKey, Limit, OrderId, Timestamp, UserId};
use runtime::Environment;
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use crate::domain::Order;

mod anonymising;
pub mod holds;
mod item;

pub use holds::{Hold, HolderKey, OpenOutcome};
pub use item::StoredOrder;

pub const SCHEMA: TableSchema = TableSchema {
    indexes: &[
        Index {
            name: BY_USER,
            partition: "user_id",
            sort: IndexKey::Text("order_id"),
            projects_all: false,
        },
        Index {
            name: OPEN,
            partition: "open_shard",
            sort: IndexKey::Number("open_since"),
            projects_all: false,
        },
    ],
};

const BY_USER: &str = "by-user";
const OPEN: &str = "open";
/// Partitions of the index `open`, so that a busy shop does not reach the
/// write limit of one.
pub(crate) const OPEN_SHARDS: u8 = 4;
/// Calls that count one partition of open orders: some 30,000 orders. Beyond
/// that, the exact number of stuck orders does not matter.
const COUNT_CALLS_MAX: usize = 5;
/// Stands in for personal data that was removed.
const REDACTED: &str = "-";
const SNAPSHOT: &str = "ORDER";
const EVENTS: &str = "EVENT#";
/// Events of one order; its states allow fewer than ten.
const EVENTS_MAX: usize = 100;

#[derive(Clone, Debug)]
pub struct OrderStore {
    table: Table,
}

#[derive(Clone, Debug)]
pub struct HistoryEntry {
    /// The order's version after the event; the first is 1.
    pub version: u32,
    pub event: Envelope,
}

impl OrderStore {
    pub async fn open(environment: &Environment) -> Result<Self, runtime::Error> {
        Ok(Self::new(Table::open(environment).await?))
    }

    pub const fn new(table: Table) -> Self {
        Self { table }
    }

    /// Strongly consistent, so a client finds the order that it has just placed.
    pub async fn find(&self, id: OrderId) -> Result<Option<StoredOrder>, StoreError> {
        self.table.get(snapshot_key(id)).await
    }

    pub async fn find_owned(
        &self,
        id: OrderId,
        user_id: UserId,
    ) -> Result<Option<StoredOrder>, StoreError> {
        let found = self.find(id).await?;
        Ok(found.filter(|stored| stored.order.user_id == user_id))
    }

    /// Oldest first.
    pub async fn history(&self, id: OrderId) -> Result<Vec<HistoryEntry>, StoreError> {
        let items: Vec<OutboxItem> = self.table.list(&partition(id), EVENTS, EVENTS_MAX).await?;
        items.into_iter().map(history_entry).collect()
    }

    /// Reads a page of a user's orders, newest first, that begins after the
    /// order `after`. Returns also the last order of the page, if there are more.
    pub async fn page(
        &self,
        user_id: UserId,
        limit: Limit,
        after: Option<OrderId>,
    ) -> Result<(Vec<StoredOrder>, Option<OrderId>), StoreError> {
        #[derive(Deserialize)]
        struct IndexItem {
            order_id: OrderId,
        }
        let after = after.map(|id| by_user_key(user_id, id)).transpose()?;
        // Ids are UUIDv7, and so sort by time.
        let query = Query::index(BY_USER, "user_id = :user")
            .value(":user", user_id)
            .backwards()
            .after(after);
        let (items, has_more): (Vec<IndexItem>, bool) = self.table.page(query, limit).await?;
        // From the index: an order that the replica read next does not have yet
        // must not end the list.
        let last = items.last().map(|item| item.order_id);
        let keys = items.iter().map(|item| snapshot_key(item.order_id));
        let mut orders: Vec<StoredOrder> = self.table.get_many(keys.collect(), false).await?;
        orders.sort_by_key(|stored| std::cmp::Reverse(stored.order.order_id));
        Ok((orders, last.filter(|_| has_more)))
    }

    /// Writes a new order, its first event, and the reply for its idempotency
    /// key, in one transaction.
    ///
    /// # Errors
    /// [`CommitError::ConditionFailed`] when the claim no longer holds: it was
    /// taken over, or it has its reply because this very write succeeded before
    /// and the store's reply was lost.
    pub async fn insert(
        &self,
        stored: &StoredOrder,
        placed: &Envelope,
        claim: &Claim,
        reply: &impl Serialize,
    ) -> Result<(), CommitError> {
        let pk = partition(stored.order.order_id);
        self.table
            .transaction()
            .insert("order", &stored.new_item())
            .announce(&pk, &event_key(1), placed, Keep::Forever)
            .complete(claim, reply)
            .commit()
            .await
    }

    /// Moves an order to its `next` state by an event, once for each `trigger`,
    /// the event of another service that caused it.
    ///
    /// # Errors
    /// [`CommitError::ConditionFailed`] when the order has changed since it was
    /// read, or has seen the trigger: read it and decide again.
    pub async fn append(
        &self,
        stored: &StoredOrder,
        next: &Order,
        event: &Envelope,
        trigger: &Envelope,
    ) -> Result<(), CommitError> {
        let id = next.order_id;
        let update = if next.status.is_open() || next.awaits_release() {
            "SET #status = :status, status_reason = :reason, committed = :committed, \
             version = :next, updated_at = :at ADD seen :seen"
        } else {
            "SET #status = :status, status_reason = :reason, committed = :committed, \
             version = :next, updated_at = :at ADD seen :seen REMOVE open_shard, open_since, counted_as"
        };
        let update = Expression::update(update)
            .only_when("version = :version AND NOT contains(seen, :trigger)")
            .name("#status", "status")
            .value(":status", next.status)
            .value(":reason", &next.status_reason)
            .value(":committed", next.committed)
            .value(":next", next.version)
            .value(":at", next.updated_at)
            .value(":version", stored.order.version)
            .value(":trigger", trigger.dedup_key())
            .string_set(":seen", vec![trigger.dedup_key()]);
        let (pk, sk) = (partition(id), event_key(next.version));
        self.table
            .transaction()
            .update("order", snapshot_key(id), update)
            .announce(&pk, &sk, event, Keep::Forever)
            .commit()
            .await
    }

    /// Puts an event that contradicts its order on the operator's list.
    pub async fn record_contradiction(
        &self,
        event: &Envelope,
        id: OrderId,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let table = &self.table;
        table.record_contradiction(event, id, reason, now).await
    }

    /// Takes an order that is over out of the index of open ones. Idempotent.
    pub async fn close(&self, id: OrderId) -> Result<(), StoreError> {
        let close = Expression::update("REMOVE open_shard, open_since, counted_as")
            .only_when("attribute_exists(pk)");
        let updated = self.table.update::<IgnoredAny>(snapshot_key(id), close);
        match updated.await {
            Ok(_) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Announces the last event of an order again, as a reminder.
    pub async fn remind(&self, order: &Order, now: Timestamp) -> Result<bool, StoreError> {
        let key = Key::new(partition(order.order_id), event_key(order.version));
        self.table.remind(key, now).await
    }

    /// The first event of an order.
    pub async fn placed(&self, id: OrderId) -> Result<Option<Envelope>, StoreError> {
        let key = Key::new(partition(id), event_key(1));
        let item: Option<OutboxItem> = self.table.get(key).await?;
        let entry = item.map(history_entry).transpose()?;
        Ok(entry.map(|entry| entry.event))
    }

    /// Reads the orders of a shard that are not at their end and are to be looked
    /// at in this minute, oldest first and `limit` at most, strongly consistent.
    pub async fn due(
        &self,
        shard: u8,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<StoredOrder>, StoreError> {
        self.table.due(shard, now, limit).await
    }

    pub async fn count_open_since(&self, before: Timestamp) -> Result<u32, StoreError> {
        let mut count = 0;
        for shard in 0..OPEN_SHARDS {
            let query = Query::index(OPEN, "open_shard = :shard AND open_since < :before")
                .value(":shard", shard.to_string())
                .value(":before", before.as_millisecond());
            count += self.table.count(query, COUNT_CALLS_MAX).await?;
        }
        Ok(count)
    }

    pub async fn count_request(
        &self,
        limit: &RateLimit,
        user_id: UserId,
        now: Timestamp,
    ) -> Result<Quota, StoreError> {
        let key = user_id.to_string();
        self.table.count_request(limit, &key, now).await
    }

    pub async fn claim<R: DeserializeOwned>(
        &self,
        user_id: UserId,
        key: &IdempotencyKey,
        fingerprint: &str,
        order_id: OrderId,
        now: Timestamp,
    ) -> Result<Claimed<R>, ClaimError> {
        let scope = format!("{user_id}#POST /api/orders");
        let subject = *order_id.as_uuid();
        claim(&self.table, &scope, key, fingerprint, subject, now).await
    }

    /// Frees the key of a claim under which nothing was done.
    pub async fn release(&self, claim: Claim) -> Result<(), StoreError> {
        release(&self.table, claim).await
    }

    /// Gives up a claim under which goods may be reserved: the next request
    /// with the key continues with the same order id.
    pub async fn abandon(&self, claim: Claim, now: Timestamp) -> Result<(), StoreError> {
        abandon(&self.table, claim, now).await
    }
}

fn partition(id: OrderId) -> String {
    format!("ORDER#{id}")
}

fn snapshot_key(id: OrderId) -> Key {
    Key::new(partition(id), SNAPSHOT)
}

fn by_user_key(user_id: UserId, order_id: OrderId) -> Result<Item, StoreError> {
    #[derive(Serialize)]
    struct ByUser {
        user_id: UserId,
        order_id: OrderId,
    }
    let index: Item = serde_dynamo::to_item(ByUser { user_id, order_id })?;
    let mut key = snapshot_key(order_id).into_item();
    key.extend(index);
    Ok(key)
}

fn open_shard(id: OrderId) -> u8 {
    id.as_uuid().as_bytes()[15] % OPEN_SHARDS
}

fn event_key(version: u32) -> String {
    format!("{EVENTS}{version:06}")
}

fn history_entry(item: OutboxItem) -> Result<HistoryEntry, StoreError> {
    let unreadable = |source: runtime::Error| StoreError::Call {
        operation: "read an order's event",
        source,
    };
    let digits = item.sk.strip_prefix(EVENTS).unwrap_or_default();
    Ok(HistoryEntry {
        version: digits
            .parse()
            .map_err(|error| unreadable(Box::new(error)))?,
        event: item.envelope().map_err(|error| unreadable(error.into()))?,
    })
}
