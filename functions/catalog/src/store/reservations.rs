//! Goods of orders.

use aws_sdk_dynamodb::types::AttributeValue;
use contracts::Envelope;
use dynamo::{CommitError, Expression, StoreError};
use jiff::{SignedDuration, Timestamp};
use kernel::OrderId;
use serde::{Deserialize, Serialize};

use super::{
    BY_EXPIRY, CatalogStore, announce,
    products::{give_back, take},
    reservation_key,
};
use crate::domain::{Reservation, Status, Step};

/// Partitions of the index of holds, so that a busy shop does not meet the
/// limit of one.
pub(crate) const HOLDING_SHARDS: u8 = 4;
/// How long a reservation is kept that has no goods: past every queue's
/// retention, so that a late event still finds what became of it.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

#[derive(Serialize)]
struct ReservationItem<'a> {
    pk: String,
    sk: String,
    #[serde(flatten)]
    reservation: &'a Reservation,
    /// The shard of [`BY_EXPIRY`] that it is in, as long as it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    holding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl<'a> ReservationItem<'a> {
    fn of(reservation: &'a Reservation) -> Self {
        let key = reservation_key(reservation.order_id);
        let shard = reservation.order_id.as_uuid().as_bytes()[15] % HOLDING_SHARDS;
        let holds = reservation.status == Status::Held;
        let kept = reservation.updated_at.saturating_add(KEPT).ok();
        Self {
            pk: key.pk,
            sk: key.sk,
            reservation,
            holding: holds.then(|| shard.to_string()),
            expires_at: kept
                .filter(|_| !reservation.has_goods())
                .map(Timestamp::as_second),
        }
    }
}

impl CatalogStore {
    /// What is kept for an order.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn reservation(&self, id: OrderId) -> Result<Option<Reservation>, StoreError> {
        self.table.get(reservation_key(id)).await
    }

    /// Takes the goods of all lines and writes that they are held, or does
    /// nothing. Refused when a line cannot be had as it stands there, or when
    /// there is a reservation of the order: which may be this very one, if
    /// the answer to writing it was lost.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn hold(&self, reservation: &Reservation) -> Result<(), CommitError> {
        let mut transaction = self
            .table
            .transaction()
            .insert("reservation", &ReservationItem::of(reservation));
        for line in &reservation.lines {
            transaction = take(transaction, line, reservation.updated_at);
        }
        transaction.commit().await
    }

    /// Takes a step of a reservation: what it becomes, the goods that go
    /// back, and what is said about it, all or nothing. `from` is what it was
    /// read as, `None` when there was none. Refused for `reservation` when it
    /// is not that any more: then read it and decide again.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn step(
        &self,
        from: Option<&Reservation>,
        step: &Step,
        events: &[Envelope],
    ) -> Result<(), CommitError> {
        let item = ReservationItem::of(&step.next);
        let transaction = self.table.transaction();
        let mut transaction = match from {
            None => transaction.insert("reservation", &item),
            // The version covers everything that the step was decided on:
            // the status, what was answered, and the time, which never moves.
            Some(from) => transaction.put("reservation", &item, {
                Expression::when("version = :version AND #status = :status")
                    .name("#status", "status")
                    .value(":version", from.version)
                    .value(":status", from.status)
            }),
        };
        if step.goods_back {
            for line in &step.next.lines {
                transaction = give_back(transaction, line, step.next.updated_at);
            }
        }
        for event in events {
            transaction = announce(transaction, &item.pk, event);
        }
        transaction.commit().await
    }

    /// Orders in one shard whose holds are over, oldest first, `limit` at most.
    /// The index may be a moment behind: look at the reservation itself.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn overdue(
        &self,
        shard: u8,
        now: Timestamp,
        limit: i32,
    ) -> Result<Vec<OrderId>, StoreError> {
        #[derive(Deserialize)]
        struct Overdue {
            pk: String,
        }
        let output = self
            .table
            .client()
            .query()
            .table_name(self.table.name())
            .index_name(BY_EXPIRY)
            .key_condition_expression("holding = :shard AND held_until <= :now")
            .expression_attribute_values(":shard", AttributeValue::S(shard.to_string()))
            .expression_attribute_values(
                ":now",
                AttributeValue::N(now.as_millisecond().to_string()),
            )
            .limit(limit)
            .send()
            .await
            .map_err(|error| StoreError::call("Query", error))?;
        let overdue: Vec<Overdue> = serde_dynamo::from_items(output.items.unwrap_or_default())?;
        let id = |one: Overdue| one.pk.trim_start_matches("RESERVATION#").parse().ok();
        Ok(overdue.into_iter().filter_map(id).collect())
    }
}
