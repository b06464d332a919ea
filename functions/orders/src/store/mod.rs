//! Orders in DynamoDB. The only place in the service that knows it.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | the snapshot: the order as it is now, and its address | `ORDER#<id>` | `ORDER` |
//! | its events: history and outbox at once | `ORDER#<id>` | `EVENT#000001` |
//! | the reply to an idempotency key | `IDEMPOTENCY#<hash>` | `IDEMPOTENCY` |
//!
//! The index `by-user` has the snapshots' keys only, under attributes that
//! never change, so that no step of an order writes to it. The index `open`
//! has the snapshots' keys while the order is neither confirmed nor over: two
//! writes in an order's life, and nothing in it when all is well.

use aws_sdk_dynamodb::types::{AttributeValue, Select};
use contracts::Envelope;
use dynamo::{
    CommitError, Expression, Index, IndexKey, Keep, Key, OutboxItem, TableSchema, StoreError, Table,
    idempotency::{Claim, ClaimError, Claimed, abandon, claim, release},
};
use jiff::Timestamp;
use kernel::{Limit, OrderId, UserId};
use runtime::{
    Environment,
    http::{IdempotencyKey, StoredReply},
};
use serde::{Deserialize, de::IgnoredAny};

mod item;

pub use item::StoredOrder;

/// The table's indexes.
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
/// Partitions of that index, so that a busy shop does not meet the limit of one.
const OPEN_SHARDS: u8 = 4;
/// Pages of one partition that are counted: some 30,000 orders. Who has more
/// than that stuck need not know how many more.
const OPEN_PAGES_MAX: usize = 5;
/// What stands where a person was.
const ANONYMOUS: &str = "-";
const SNAPSHOT: &str = "ORDER";
const EVENTS: &str = "EVENT#";
/// Events that an order may have; its states allow fewer than ten.
const EVENTS_MAX: i32 = 100;

/// The orders of the shop.
#[derive(Clone, Debug)]
pub struct OrderStore {
    table: Table,
}

/// One event of a history with its number.
#[derive(Clone, Debug)]
pub struct Numbered {
    /// From 1 on; the order's version after it.
    pub version: u32,
    /// The event.
    pub event: Envelope,
}

impl OrderStore {
    /// The store on the table in `TABLE`.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn open(environment: &Environment) -> Result<Self, runtime::Error> {
        Ok(Self::new(Table::open(environment).await?))
    }

    /// The store on a table.
    pub const fn new(table: Table) -> Self {
        Self { table }
    }

    /// An order as it is now; strongly consistent, so that whoever has just
    /// placed it finds it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find(&self, id: OrderId) -> Result<Option<StoredOrder>, StoreError> {
        self.table.get(Key::new(partition(id), SNAPSHOT)).await
    }

    /// An order's events, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn history(&self, id: OrderId) -> Result<Vec<Numbered>, StoreError> {
        let items: Vec<OutboxItem> = self.table.list(&partition(id), EVENTS, EVENTS_MAX).await?;
        items.into_iter().map(numbered).collect()
    }

    /// A page of a person's orders, newest first, that begins after an order;
    /// and the last order on it, when there are more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn page(
        &self,
        user_id: UserId,
        limit: Limit,
        after: Option<OrderId>,
    ) -> Result<(Vec<StoredOrder>, Option<OrderId>), StoreError> {
        #[derive(Deserialize)]
        struct Listed {
            order_id: OrderId,
        }
        let page_len = usize::try_from(limit.get()).unwrap_or(1);
        // One more than the page tells whether there is a next one.
        let wanted = i32::try_from(page_len + 1).unwrap_or(i32::MAX);
        let text = |text: String| AttributeValue::S(text);
        let start = after.map(|id| {
            let key = [
                ("pk", partition(id)),
                ("sk", SNAPSHOT.to_owned()),
                ("user_id", user_id.to_string()),
                ("order_id", id.to_string()),
            ];
            key.map(|(name, value)| (name.to_owned(), text(value)))
                .into()
        });
        let output = self
            .table
            .client()
            .query()
            .table_name(self.table.name())
            .index_name(BY_USER)
            .key_condition_expression("user_id = :user")
            .expression_attribute_values(":user", text(user_id.to_string()))
            // Ids are UUIDv7: their order is that of time.
            .scan_index_forward(false)
            .limit(wanted)
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| StoreError::call("Query", error))?;
        let mut listed: Vec<Listed> = serde_dynamo::from_items(output.items.unwrap_or_default())?;
        let more = listed.len() > page_len;
        listed.truncate(page_len);
        // Taken from the index, not from the items read: one that a replica
        // does not show yet must not end the list.
        let last = listed.last().map(|one| one.order_id).filter(|_| more);
        let keys = listed
            .iter()
            .map(|one| Key::new(partition(one.order_id), SNAPSHOT))
            .collect();
        let mut orders: Vec<StoredOrder> = self.table.get_many(keys, false).await?;
        orders.sort_by_key(|stored| std::cmp::Reverse(stored.order.order_id));
        Ok((orders, last))
    }

    /// Writes a new order, announces it, and keeps the reply for its
    /// idempotency key: all or nothing.
    ///
    /// Refused when the claim is not ours any more. The order itself cannot
    /// be there already under a claim that is: it is written only together
    /// with the claim's reply. What is refused may still be our own earlier
    /// success whose answer was lost; the reply under the key then tells.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn insert(
        &self,
        stored: &StoredOrder,
        placed: &Envelope,
        claim: &Claim,
        reply: &StoredReply,
    ) -> Result<(), CommitError> {
        let id = stored.order.order_id;
        self.table
            .transaction()
            .insert("order", &stored.item(id))
            .announce(&partition(id), &event_key(1), placed, Keep::Forever)
            .complete(claim, reply)
            .commit()
            .await
    }

    /// Moves an order on by one event, because of an outside event that it has
    /// not seen. Refused when the order has changed since it was read, or has
    /// seen that event: read it again and decide again.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn append(
        &self,
        stored: &StoredOrder,
        event: &Envelope,
        next: &crate::domain::Order,
        because: &Envelope,
    ) -> Result<(), CommitError> {
        let id = next.order_id;
        let update = if next.status.is_open() {
            "SET #status = :status, status_reason = :reason, committed = :committed, \
             version = :next, updated_at = :at ADD seen :seen"
        } else {
            "SET #status = :status, status_reason = :reason, committed = :committed, \
             version = :next, updated_at = :at ADD seen :seen REMOVE open_shard, open_since"
        };
        let advance = Expression::update(update)
            .only_when("version = :version AND NOT contains(seen, :event)")
            .name("#status", "status")
            .value(":status", next.status)
            .value(":reason", &next.status_reason)
            .value(":committed", next.committed)
            .value(":next", next.version)
            .value(":at", next.updated_at)
            .value(":version", stored.order.version)
            .value(":event", because.dedup_key())
            .string_set(":seen", vec![because.dedup_key()]);
        let key = Key::new(partition(id), SNAPSHOT);
        self.table
            .transaction()
            .update("order", key, advance)
            .announce(
                &partition(id),
                &event_key(next.version),
                event,
                Keep::Forever,
            )
            .commit()
            .await
    }

    /// Takes the person out of an order's address: who and at which door, and
    /// not in which town, state and country: a postal code can be one door. The order itself stays as it is.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn anonymise(&self, id: OrderId) -> Result<(), StoreError> {
        let nobody = Expression::update(
            "SET shipping_address.#name = :nobody, shipping_address.line1 = :nobody, \
             shipping_address.postalCode = :nobody \
             REMOVE shipping_address.line2",
        )
        .only_when("attribute_exists(pk)")
        .name("#name", "name")
        .value(":nobody", ANONYMOUS);
        let key = Key::new(partition(id), SNAPSHOT);
        match self.table.update::<IgnoredAny>(key, nobody).await {
            Ok(_) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// How many orders have been open since before a time.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn count_open_since(&self, before: Timestamp) -> Result<u32, StoreError> {
        let mut count = 0;
        for shard in 0..OPEN_SHARDS {
            let mut pages = self
                .table
                .client()
                .query()
                .table_name(self.table.name())
                .index_name(OPEN)
                .key_condition_expression("open_shard = :shard AND open_since < :before")
                .expression_attribute_values(":shard", AttributeValue::S(shard.to_string()))
                .expression_attribute_values(
                    ":before",
                    AttributeValue::N(before.as_millisecond().to_string()),
                )
                .select(Select::Count)
                .into_paginator()
                .send();
            for _ in 0..OPEN_PAGES_MAX {
                let Some(page) = pages.next().await else {
                    break;
                };
                let page = page.map_err(|error| StoreError::call("Query", error))?;
                count += u32::try_from(page.count).unwrap_or_default();
            }
        }
        Ok(count)
    }

    /// Claims a person's idempotency key for an order with the id `subject`.
    ///
    /// # Errors
    /// [`ClaimError`].
    pub async fn claim(
        &self,
        user_id: UserId,
        key: &IdempotencyKey,
        fingerprint: &str,
        subject: OrderId,
        now: Timestamp,
    ) -> Result<Claimed, ClaimError> {
        let scope = format!("{user_id}#POST /api/orders");
        claim(
            &self.table,
            &scope,
            key,
            fingerprint,
            *subject.as_uuid(),
            now,
        )
        .await
    }

    /// Frees a claim under which nothing was done.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn release(&self, claim: Claim) -> Result<(), StoreError> {
        release(&self.table, claim).await
    }

    /// Lets go of a claim under which goods may be held: the next request with
    /// the key goes on with the same order id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn abandon(&self, claim: Claim, now: Timestamp) -> Result<(), StoreError> {
        abandon(&self.table, claim, now).await
    }
}

fn partition(id: OrderId) -> String {
    format!("ORDER#{id}")
}

/// The partition of the index of open orders that an order is in.
fn open_shard(id: OrderId) -> u8 {
    id.as_uuid().as_bytes()[15] % OPEN_SHARDS
}

fn event_key(version: u32) -> String {
    format!("{EVENTS}{version:06}")
}

fn numbered(item: OutboxItem) -> Result<Numbered, StoreError> {
    let unreadable = |source: runtime::Error| StoreError::Call {
        operation: "read an order's event",
        source,
    };
    let digits = item.sk.strip_prefix(EVENTS).unwrap_or_default();
    Ok(Numbered {
        version: digits
            .parse()
            .map_err(|error| unreadable(Box::new(error)))?,
        event: item.envelope().map_err(|error| unreadable(error.into()))?,
    })
}
