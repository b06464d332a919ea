use contracts::{Envelope, events::OrderLine};
use dynamo::{CommitError, Expression, Query, StoreError};
use jiff::{SignedDuration, Timestamp};
use kernel::OrderId;
use serde::{Deserialize, Serialize};

use super::{
    BY_EXPIRY, CatalogStore, announce,
    products::{decrement_stock, return_goods},
    reservation_key,
};
use crate::domain::{Reservation, ShareCondition, Status, Transition};

/// Partitions of [`BY_EXPIRY`], so that a busy shop does not reach the limits
/// of a single one.
pub(crate) const EXPIRY_SHARDS: u8 = 4;
/// How long a reservation without goods is kept: longer than any queue retains
/// an event, so that a late one still finds it.
const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

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
        let expires_at = reservation.updated_at.saturating_add(RETENTION).ok();
        Self {
            pk: key.pk,
            sk: key.sk,
            reservation,
            holding: is_held.then(|| shard.to_string()),
            expires_at: expires_at
                .filter(|_| !reservation.has_goods())
                .map(Timestamp::as_second),
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

impl CatalogStore {
    /// Reads the reservation of an order, strongly consistent.
    pub async fn reservation(&self, id: OrderId) -> Result<Option<Reservation>, StoreError> {
        self.table.get(reservation_key(id)).await
    }

    /// Writes a new reservation and takes the goods of its lines out of the
    /// available stock. `shares` has a condition for each line if the buyer is
    /// unverified, and is empty otherwise.
    ///
    /// # Errors
    /// When a condition fails: that of `line` if a line is not available with
    /// its name and price and within its share, that of `reservation` if the order has one. The
    /// latter may be this very one, if the reply to an earlier attempt was lost.
    pub async fn reserve(
        &self,
        reservation: &Reservation,
        shares: &[ShareCondition],
    ) -> Result<(), CommitError> {
        let mut transaction = self
            .table
            .transaction()
            .insert("reservation", &ReservationItem::of(reservation));
        for (index, line) in reservation.lines.iter().enumerate() {
            let share = shares.get(index);
            transaction = decrement_stock(transaction, line, share, reservation.updated_at);
        }
        transaction.commit().await
    }

    /// Writes a reservation after a transition, restocks its goods if that is
    /// part of it, and announces its events. `current` is the reservation on
    /// which the transition was decided, if there was one.
    pub async fn apply(
        &self,
        current: Option<&Reservation>,
        transition: &Transition,
        events: &[Envelope],
    ) -> Result<(), ApplyTransitionError> {
        let next = &transition.reservation;
        let item = ReservationItem::of(next);
        let transaction = self.table.transaction();
        let mut transaction = match current {
            None => transaction.insert("reservation", &item),
            // The version covers all that the transition was decided on.
            Some(current) => transaction.put("reservation", &item, {
                Expression::when("version = :version AND #status = :status")
                    .name("#status", "status")
                    .value(":version", current.version)
                    .value(":status", current.status)
            }),
        };
        for line in &next.lines {
            transaction = return_goods(transaction, line, transition);
        }
        for event in events {
            transaction = announce(transaction, &item.pk, event);
        }
        match transaction.commit().await {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            Err(CommitError::ConditionFailed(failed)) if failed.includes("reservation") => {
                Err(ApplyTransitionError::Changed)
            }
            Err(CommitError::ConditionFailed(_)) => Err(ApplyTransitionError::ProductMissing),
        }
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
            transaction = decrement_stock(transaction, line, None, next.updated_at);
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
