use std::collections::BTreeMap;

use contracts::{
    Envelope, EventData,
    events::{OrderLine, StockCommitRejected, StockCommitted, StockReleased},
};
use dynamo::{CommitError, Expression, Outcome, Query, StoreError};
use jiff::{SignedDuration, Timestamp};
use kernel::{OrderId, ProductId};
use serde::{Deserialize, Serialize};

use super::{
    BY_EXPIRY, CatalogStore, announce, reservation_key,
    stock::{Change, change_goods, hold_goods, take_goods},
};
use crate::domain::{
    OrderOutcome, Place, Reservation, ShareCondition, Status, TakenFrom, Transition,
};

/// Partitions of [`BY_EXPIRY`]. A reservation writes two units to the index, one
/// when it is made and one when it ends, and a partition takes 1,000 a second:
/// these are enough for 8,000 reservations a second. The first four are those
/// of the release before.
pub const EXPIRY_SHARDS: u8 = 16;
/// Attempts to find where the goods of a reservation belong: between two of
/// them another of its shards has to be folded.
const PLACES_ATTEMPTS_MAX: u32 = 4;
/// How long a reservation without goods is kept: longer than any queue retains
/// an event, so that a late one still finds it.
const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long the reservation of goods that were sold is kept: three years, longer
/// than goods come back. The seller is liable for two (Directive (EU) 2019/771,
/// article 10). The order itself has its lines for ever.
const SOLD_RETENTION: SignedDuration = SignedDuration::from_hours(3 * 366 * 24);

#[derive(Serialize)]
struct ReservationItem<'a> {
    pk: String,
    sk: String,
    #[serde(flatten)]
    reservation: &'a Reservation,
    /// The shard of [`BY_EXPIRY`] that it is in while it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    holding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl<'a> ReservationItem<'a> {
    fn of(reservation: &'a Reservation) -> Self {
        let key = reservation_key(reservation.order_id);
        let shard = reservation.order_id.as_uuid().as_bytes()[15] % EXPIRY_SHARDS;
        let is_held = reservation.status == Status::Held;
        let retention = match reservation.status {
            Status::Held => None,
            Status::Sold => Some(SOLD_RETENTION),
            Status::Released | Status::Expired | Status::Missing => Some(RETENTION),
        };
        let end = |retention| reservation.updated_at.saturating_add(retention).ok();
        Self {
            pk: key.pk,
            sk: key.sk,
            reservation,
            holding: is_held.then(|| shard.to_string()),
            expires_at: retention.and_then(end).map(Timestamp::as_second),
        }
    }
}

/// Why a transition cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyTransitionError {
    /// By another writer, or by an earlier attempt whose reply was lost: read
    /// and decide again.
    #[error("the reservation has changed since it was read")]
    Changed,
    #[error("a product to be restocked does not exist")]
    ProductMissing,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A transition of a reservation, to be written.
#[derive(Clone, Copy, Debug)]
pub struct Settled<'a> {
    /// The reservation on which the transition was decided, if there was one.
    pub current: Option<&'a Reservation>,
    pub transition: &'a Transition,
    pub events: &'a [Envelope],
}

impl CatalogStore {
    /// Reads the reservations of orders, strongly consistent and in no
    /// particular order.
    pub async fn reservations(&self, ids: Vec<OrderId>) -> Result<Vec<Reservation>, StoreError> {
        let keys = ids.into_iter().map(reservation_key).collect();
        self.table.get_many(keys, true).await
    }

    /// Reads the reservation of an order, strongly consistent.
    pub async fn reservation(&self, id: OrderId) -> Result<Option<Reservation>, StoreError> {
        self.table.get(reservation_key(id)).await
    }

    /// Writes a new reservation and takes the goods of its lines out of the
    /// available stock, once. `shares` has a condition for each line if the buyer
    /// is unverified, and is empty otherwise. In a conflict, the reservation is
    /// the first of the writes, and its lines follow in their order.
    ///
    /// # Errors
    /// When a condition fails: that of a line if it is not available with
    /// its name and price and within its share, that of `reservation` if the order has one. The
    /// latter may be this very one, if the reply to an earlier attempt was lost.
    pub async fn reserve(
        &self,
        reservation: &Reservation,
        shares: &[ShareCondition],
    ) -> Result<Outcome, CommitError> {
        let mut transaction = self
            .table
            .transaction()
            .insert("reservation", &ReservationItem::of(reservation));
        for (index, line) in reservation.lines.iter().enumerate() {
            let share = shares.get(index);
            let place = reservation.place_of(line.product_id);
            transaction = hold_goods(transaction, line, place, share, reservation.updated_at);
        }
        transaction.commit_once().await
    }

    /// Writes reservations after their transitions, changes the stock as those
    /// require, and announces their events; all of them or none. What came from a shard
    /// goes to that shard, or to the product if the shard has been folded: with
    /// its goods, its numbers have moved there.
    pub async fn apply(&self, settled: &[Settled<'_>]) -> Result<(), ApplyTransitionError> {
        let mut folded = Vec::new();
        for _ in 0..PLACES_ATTEMPTS_MAX {
            match self.try_to_apply(settled, &folded).await {
                Ok(()) => return Ok(()),
                Err(CommitError::Store(error)) => return Err(error.into()),
                Err(CommitError::ConditionFailed(failed)) if failed.includes("reservation") => {
                    return Err(ApplyTransitionError::Changed);
                }
                Err(CommitError::ConditionFailed(failed)) if failed.includes("shard") => {
                    folded = self.folded(settled).await?;
                }
                Err(CommitError::ConditionFailed(_)) => {
                    return Err(ApplyTransitionError::ProductMissing);
                }
            }
        }
        Err(ApplyTransitionError::Changed)
    }

    /// The shards that goods came from and that have been folded since.
    async fn folded(&self, settled: &[Settled<'_>]) -> Result<Vec<TakenFrom>, StoreError> {
        let taken = settled
            .iter()
            .flat_map(|one| &one.transition.reservation.shards);
        let mut folded = Vec::new();
        for taken in taken {
            let shards = self.shards(taken.product_id, [taken.shard]).await?;
            if shards.is_empty() {
                folded.push(*taken);
            }
        }
        Ok(folded)
    }

    async fn try_to_apply(
        &self,
        settled: &[Settled<'_>],
        folded: &[TakenFrom],
    ) -> Result<(), CommitError> {
        let mut transaction = self.table.transaction();
        let mut changes: BTreeMap<(ProductId, Place), Change> = BTreeMap::new();
        let mut now = Timestamp::UNIX_EPOCH;
        for one in settled {
            let next = &one.transition.reservation;
            now = now.max(next.updated_at);
            let item = ReservationItem::of(next);
            transaction = match one.current {
                None => transaction.insert("reservation", &item),
                // The version covers all that the transition was decided on.
                Some(current) => transaction.put("reservation", &item, {
                    Expression::when("version = :version AND #status = :status")
                        .name("#status", "status")
                        .value(":version", current.version)
                        .value(":status", current.status)
                }),
            };
            for event in one.events {
                transaction = announce(transaction, &item.pk, event);
            }
            for line in &next.lines {
                let product_id = line.product_id;
                let place = match next.place_of(product_id) {
                    Place::Shard(shard) if folded.contains(&TakenFrom { product_id, shard }) => {
                        Place::Product
                    }
                    place => place,
                };
                let change = changes.entry((product_id, place)).or_default();
                change.add(line.quantity, one.transition);
            }
        }
        for (place, change) in changes {
            transaction = change_goods(transaction, place, change, now);
        }
        transaction.commit().await
    }

    /// Announces again how an event of an order was answered, as a reminder.
    pub async fn answer_again(
        &self,
        id: OrderId,
        outcome: OrderOutcome,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let answers: &[&str] = match outcome {
            OrderOutcome::Authorized => &[StockCommitted::TYPE, StockCommitRejected::TYPE],
            OrderOutcome::Ended => &[StockReleased::TYPE],
        };
        let pk = reservation_key(id).pk;
        self.table.remind_of(&pk, "EVENT#", answers, now).await
    }

    /// Takes the goods of some lines out of the available stock for a reservation that
    /// counts as having them, because their products were restored from before it.
    /// `next` is that reservation with a mark, so that this happens once.
    ///
    /// # Errors
    /// When the condition of `reservation` fails because it has changed, or that of
    /// `line` because a line is not available.
    pub async fn take_again(
        &self,
        current: &Reservation,
        next: &Reservation,
        lines: &[OrderLine],
    ) -> Result<(), CommitError> {
        let unchanged = Expression::when("version = :version AND #status = :status")
            .name("#status", "status")
            .value(":version", current.version)
            .value(":status", current.status);
        let item = ReservationItem::of(next);
        let transaction = self.table.transaction();
        let mut transaction = transaction.put("reservation", &item, unchanged);
        for line in lines {
            transaction = take_goods(transaction, line, next.updated_at);
        }
        transaction.commit().await
    }

    /// Reads the orders of one shard whose hold period is over, oldest first.
    /// The index is eventually consistent: the reservation itself decides.
    pub async fn overdue(
        &self,
        shard: u8,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<OrderId>, StoreError> {
        #[derive(Deserialize)]
        struct OverdueKey {
            pk: String,
        }
        let query = Query::index(BY_EXPIRY, "holding = :shard AND held_until <= :now")
            .value(":shard", shard.to_string())
            .value(":now", now.as_millisecond());
        let keys: Vec<OverdueKey> = self.table.read_all(query, limit).await?;
        let order_id = |key: OverdueKey| key.pk.trim_start_matches("RESERVATION#").parse().ok();
        Ok(keys.into_iter().filter_map(order_id).collect())
    }
}
