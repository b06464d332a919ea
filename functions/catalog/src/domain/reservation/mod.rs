//! The goods of an order, from held to sold or released.
//!
//! ```text
//!         ┌────────── authorised in time ─────────▶ sold ──┐
//! held ───┼─ order ended ────────────────▶ released ◀──────┘ order ended
//!         └─ hold period over ───────────▶ expired
//! ```
//!
//! The goods are out of the available stock while the reservation is `held` or
//! `sold`, and in no other status. Each transition out of these two restocks
//! them in the same write, so they are restocked exactly once. While it is
//! `held` they are on hand and counted as held; the transition out of it
//! takes them out of that number, likewise once.

use std::collections::BTreeSet;

use contracts::{
    Envelope, Stamp,
    calls::StockReservation,
    events::{
        OrderLine, Quantity, RejectionReason, ReservationExpired, StockCommitRejected,
        StockCommitted, StockReleased,
    },
};
use jiff::{SignedDuration, Timestamp, fmt::serde::timestamp::millisecond};
use kernel::{OrderId, ProductId};
use serde::{Deserialize, Serialize};

use super::{OrderEvent, Place};

/// How long goods are held for an order that is not paid: a customer at a
/// payment page needs a few minutes, and others may want the goods.
pub const HOLD_PERIOD: SignedDuration = SignedDuration::from_mins(15);

/// What has to be left of it for an order that is only placed now: the
/// authorisation of a payment takes seconds, or a minute when something is retried.
pub const HOLD_LEFT_MIN: SignedDuration = SignedDuration::from_mins(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The goods wait for the order's payment.
    Held,
    Sold,
    /// The order ended.
    Released,
    /// The payment was not authorised in time.
    Expired,
    /// There was no reservation when the order needed it. The record makes sure
    /// that the order is told once, and that none is made afterwards.
    Missing,
}

/// The reservation of an order; the order's id identifies it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    pub order_id: OrderId,
    /// With the names and prices at the time of the reservation.
    pub lines: Vec<OrderLine>,
    /// Whether its goods count as held by unverified buyers while it is held.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unverified: bool,
    /// Whether its goods are counted as held where they were taken from, while
    /// it is held. The release before that number did not count them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counted: bool,
    /// The lines whose goods came from a shard; those of all others came from
    /// the product itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<TakenFrom>,
    pub status: Status,
    /// When the hold period ends; never changes.
    #[serde(with = "millisecond::required")]
    pub held_until: Timestamp,
    pub correlation_id: String,
    /// The events that were handled, so that each is handled once.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub seen: BTreeSet<String>,
    /// Counts the transitions, from 1.
    pub version: u32,
    pub updated_at: Timestamp,
}

/// The shard that a line's goods came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenFrom {
    pub product_id: ProductId,
    pub shard: u32,
}

/// An event that a transition announces.
#[derive(Clone, Debug, PartialEq)]
pub enum StockEvent {
    Committed(StockCommitted),
    CommitRejected(StockCommitRejected),
    Expired(ReservationExpired),
    Released(StockReleased),
}

impl StockEvent {
    fn envelope(&self, stamp: Stamp) -> Envelope {
        match self {
            Self::Committed(data) => Envelope::new(data, stamp),
            Self::CommitRejected(data) => Envelope::new(data, stamp),
            Self::Expired(data) => Envelope::new(data, stamp),
            Self::Released(data) => Envelope::new(data, stamp),
        }
    }
}

/// A change of a reservation, written together with its effects or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The reservation after the change.
    pub reservation: Reservation,
    /// Whether its goods return to the available stock.
    pub restock: bool,
    /// Whether its goods are no longer counted as held, but available again or
    /// sold. Only the transition out of `held` does that, so it happens once.
    pub ends_hold: bool,
    /// Whether its goods count as held by unverified buyers no longer. Only the
    /// transition out of `held` does that, so it happens once.
    pub frees_share: bool,
    pub events: Vec<StockEvent>,
}

impl Transition {
    pub fn envelopes(&self, mut stamp: impl FnMut() -> Stamp) -> Vec<Envelope> {
        let events = self.events.iter();
        events.map(|event| event.envelope(stamp())).collect()
    }
}

impl Reservation {
    /// A new reservation, whose hold period begins now.
    pub fn hold(
        order_id: OrderId,
        lines: Vec<OrderLine>,
        correlation_id: String,
        now: Timestamp,
    ) -> Self {
        Self {
            order_id,
            lines,
            unverified: false,
            counted: true,
            shards: Vec::new(),
            status: Status::Held,
            held_until: now.saturating_add(HOLD_PERIOD).unwrap_or(now),
            correlation_id,
            seen: BTreeSet::new(),
            version: 1,
            updated_at: now,
        }
    }

    /// The reply to the call that made the reservation.
    pub fn held_reply(&self) -> StockReservation {
        StockReservation::Held {
            lines: self.lines.clone(),
            held_until: self.held_until,
        }
    }

    /// The reply to a repeated call for the same order: the first reply, as
    /// long as the order can still have the goods, or already has them.
    /// A hold that is nearly over is of no use to an order that is only placed now:
    /// its payment would come too late.
    pub fn repeated_reply(&self, requested: &[Quantity], now: Timestamp) -> StockReservation {
        let is_same = self.quantities() == requested;
        let is_valid = match self.status {
            Status::Held => self.held_until.duration_since(now) >= HOLD_LEFT_MIN,
            Status::Sold => true,
            Status::Released | Status::Expired | Status::Missing => false,
        };
        if is_same && is_valid {
            self.held_reply()
        } else {
            StockReservation::Gone
        }
    }

    /// Sells the goods, or rejects that, once the order's payment is
    /// authorised. `None` if the event was handled before.
    pub fn commit(&self, dedup_key: &str, now: Timestamp) -> Option<Transition> {
        if self.seen.contains(dedup_key) {
            return None;
        }
        let order_id = self.order_id;
        let rejected =
            |reason| StockEvent::CommitRejected(StockCommitRejected { order_id, reason });
        let expired = StockEvent::Expired(ReservationExpired { order_id });
        let committed = StockEvent::Committed(StockCommitted { order_id });
        let (status, restock, events) = match self.status {
            // The order knows when the hold period ends: nothing is sold after
            // it, even if `expire-reservations` has not run since.
            Status::Held if self.is_overdue(now) => {
                let reason = RejectionReason::ReservationExpired;
                (Status::Expired, true, vec![expired, rejected(reason)])
            }
            Status::Held | Status::Sold => (Status::Sold, false, vec![committed]),
            Status::Released => {
                let reason = RejectionReason::ReservationReleased;
                (Status::Released, false, vec![rejected(reason)])
            }
            Status::Expired => {
                let reason = RejectionReason::ReservationExpired;
                (Status::Expired, false, vec![rejected(reason)])
            }
            Status::Missing => {
                let reason = RejectionReason::ReservationMissing;
                (Status::Missing, false, vec![rejected(reason)])
            }
        };
        let mut reservation = self.changed(status, now);
        reservation.seen.insert(dedup_key.to_owned());
        Some(Transition {
            frees_share: self.frees_share(status),
            ends_hold: self.ends_hold(status),
            reservation,
            restock,
            events,
        })
    }

    /// Releases the goods once the order has ended. `None` if the event was
    /// handled before, or if there are no goods to release.
    pub fn release(&self, dedup_key: &str, now: Timestamp) -> Option<Transition> {
        if self.seen.contains(dedup_key) || !self.has_goods() {
            return None;
        }
        let released = StockReleased {
            order_id: self.order_id,
            lines: self.quantities(),
        };
        let mut reservation = self.changed(Status::Released, now);
        reservation.seen.insert(dedup_key.to_owned());
        Some(Transition {
            reservation,
            restock: true,
            frees_share: self.frees_share(Status::Released),
            ends_hold: self.ends_hold(Status::Released),
            events: vec![StockEvent::Released(released)],
        })
    }

    /// Ends a reservation whose hold period is over; `None` for any other.
    pub fn expire(&self, now: Timestamp) -> Option<Transition> {
        let is_expired = self.status == Status::Held && self.is_overdue(now);
        is_expired.then(|| Transition {
            reservation: self.changed(Status::Expired, now),
            restock: true,
            frees_share: self.frees_share(Status::Expired),
            ends_hold: self.ends_hold(Status::Expired),
            events: vec![StockEvent::Expired(ReservationExpired {
                order_id: self.order_id,
            })],
        })
    }

    /// Records that an order with an authorised payment has no reservation.
    pub fn reject_missing(event: &OrderEvent, now: Timestamp) -> Transition {
        let order_id = event.order_id;
        let reason = RejectionReason::ReservationMissing;
        let rejected = StockCommitRejected { order_id, reason };
        Transition {
            reservation: Self {
                status: Status::Missing,
                held_until: now,
                seen: BTreeSet::from([event.dedup_key.clone()]),
                ..Self::hold(order_id, Vec::new(), event.correlation_id.clone(), now)
            },
            restock: false,
            frees_share: false,
            ends_hold: false,
            events: vec![StockEvent::CommitRejected(rejected)],
        }
    }

    /// Whether its goods are out of the available stock.
    pub const fn has_goods(&self) -> bool {
        matches!(self.status, Status::Held | Status::Sold)
    }

    /// Where the goods of a product came from.
    pub fn place_of(&self, product_id: ProductId) -> Place {
        let mut shards = self.shards.iter();
        let taken = shards.find(|taken| taken.product_id == product_id);
        taken.map_or(Place::Product, |taken| Place::Shard(taken.shard))
    }

    fn ends_hold(&self, next: Status) -> bool {
        self.counted && self.status == Status::Held && next != Status::Held
    }

    fn frees_share(&self, next: Status) -> bool {
        self.unverified && self.status == Status::Held && next != Status::Held
    }

    fn is_overdue(&self, now: Timestamp) -> bool {
        self.held_until <= now
    }

    fn quantities(&self) -> Vec<Quantity> {
        let quantity = |line: &OrderLine| Quantity {
            product_id: line.product_id,
            quantity: line.quantity,
        };
        self.lines.iter().map(quantity).collect()
    }

    fn changed(&self, status: Status, now: Timestamp) -> Self {
        Self {
            status,
            version: self.version + 1,
            updated_at: now,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests;
