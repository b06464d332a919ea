//! Goods of an order, from held to sold or given back.
//!
//! ```text
//!         ┌────────── authorised in time ─────────▶ sold ──┐
//! held ───┼─ order over ─────────────────▶ released ◀──────┘ order over
//!         └─ its time over ──────────────▶ expired
//! ```
//!
//! Goods are out of the stock in `held` and `sold`, and in no other status.
//! Each step out of these two gives them back in the write that takes the
//! step, so they come back exactly once, whoever takes it.

use std::collections::BTreeSet;

use contracts::{
    Envelope,
    calls::StockReservation,
    events::{
        OrderLine, Quantity, RejectionReason, ReservationExpired, StockCommitRejected,
        StockCommitted, StockReleased,
    },
};
use jiff::{SignedDuration, Timestamp, fmt::serde::timestamp::millisecond};
use kernel::{Cause, OrderId};
use serde::{Deserialize, Serialize};

/// How long goods wait for their money: a person at a payment page needs a few
/// minutes, and others may want the goods.
pub const HOLD: SignedDuration = SignedDuration::from_mins(15);

/// How far a reservation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The goods wait for the order's money.
    Held,
    /// The goods are the order's.
    Sold,
    /// The order is over, and gave them back.
    Released,
    /// The money did not come in time.
    Expired,
    /// There never was a hold. It stands where one would, so that an order
    /// which was told so once is not told twice, nor gets the goods after all.
    Missing,
}

/// What is kept for an order. Its id is the order's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    /// Which order.
    pub order_id: OrderId,
    /// The goods, with names and prices of when they were taken.
    pub lines: Vec<OrderLine>,
    /// How far it is.
    pub status: Status,
    /// Until when a hold holds; it never changes.
    #[serde(with = "millisecond::required")]
    pub held_until: Timestamp,
    /// The chain that it belongs to.
    pub correlation_id: String,
    /// The events that were answered, so that each is once.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub seen: BTreeSet<String>,
    /// Counts its changes, from 1 on.
    pub version: u32,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What the catalog says about a reservation.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The goods are sold.
    Committed(StockCommitted),
    /// They cannot be.
    Rejected(StockCommitRejected),
    /// Their time is over.
    Expired(ReservationExpired),
    /// They were given back.
    Released(StockReleased),
}

impl Said {
    /// It as an event.
    pub fn envelope(&self, now: Timestamp, cause: &Cause) -> Envelope {
        match self {
            Self::Committed(data) => Envelope::new(data, now, cause),
            Self::Rejected(data) => Envelope::new(data, now, cause),
            Self::Expired(data) => Envelope::new(data, now, cause),
            Self::Released(data) => Envelope::new(data, now, cause),
        }
    }
}

/// A change of a reservation; written all at once or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The reservation after it.
    pub next: Reservation,
    /// Whether the goods go back into the stock.
    pub goods_back: bool,
    /// What is said about it.
    pub says: Vec<Said>,
}

impl Reservation {
    /// Goods that are held from now on.
    pub fn hold(
        order_id: OrderId,
        lines: Vec<OrderLine>,
        correlation_id: String,
        now: Timestamp,
    ) -> Self {
        Self {
            order_id,
            lines,
            status: Status::Held,
            held_until: now.saturating_add(HOLD).unwrap_or(now),
            correlation_id,
            seen: BTreeSet::new(),
            version: 1,
            updated_at: now,
        }
    }

    /// What whoever asks for these goods again is told: the same, as long as
    /// the order can still have them.
    ///
    /// That includes goods that are sold to it already: then the order is
    /// written, and a straggler that asks again will find it so.
    pub fn answer(&self, asked: &[Quantity], now: Timestamp) -> StockReservation {
        let same = self.quantities() == asked;
        let stands = match self.status {
            Status::Held => !self.is_over(now),
            Status::Sold => true,
            Status::Released | Status::Expired | Status::Missing => false,
        };
        if same && stands {
            self.held()
        } else {
            StockReservation::Gone
        }
    }

    /// The answer to the one who took the goods.
    pub fn held(&self) -> StockReservation {
        StockReservation::Held {
            lines: self.lines.clone(),
            held_until: self.held_until,
        }
    }

    /// What to do when the order's money is promised, told by the event `key`.
    pub fn authorize(&self, key: &str, now: Timestamp) -> Option<Step> {
        if self.seen.contains(key) {
            return None;
        }
        let order_id = self.order_id;
        let rejected = |reason| Said::Rejected(StockCommitRejected { order_id, reason });
        let expired = Said::Expired(ReservationExpired { order_id });
        let committed = Said::Committed(StockCommitted { order_id });
        let (status, goods_back, says) = match self.status {
            // Past its time it may not be sold, even though no round has
            // given it back yet: its order was told until when it holds.
            Status::Held if self.is_over(now) => {
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
        let mut next = self.changed(status, now);
        next.seen.insert(key.to_owned());
        Some(Step {
            next,
            goods_back,
            says,
        })
    }

    /// What to do when the order is over, told by the event `key`.
    pub fn release(&self, key: &str, now: Timestamp) -> Option<Step> {
        if self.seen.contains(key) || !self.has_goods() {
            return None;
        }
        let released = StockReleased {
            order_id: self.order_id,
            lines: self.quantities(),
        };
        let mut next = self.changed(Status::Released, now);
        next.seen.insert(key.to_owned());
        Some(Step {
            next,
            goods_back: true,
            says: vec![Said::Released(released)],
        })
    }

    /// What to do when nobody has come for the goods.
    pub fn expire(&self, now: Timestamp) -> Option<Step> {
        let over = self.status == Status::Held && self.is_over(now);
        over.then(|| Step {
            next: self.changed(Status::Expired, now),
            goods_back: true,
            says: vec![Said::Expired(ReservationExpired {
                order_id: self.order_id,
            })],
        })
    }

    /// What to do when the money of an order is promised that holds nothing,
    /// told by `event`.
    pub fn missing(order_id: OrderId, event: &Envelope, now: Timestamp) -> Step {
        let reason = RejectionReason::ReservationMissing;
        Step {
            next: Self {
                status: Status::Missing,
                held_until: now,
                seen: BTreeSet::from([event.dedup_key()]),
                ..Self::hold(order_id, Vec::new(), event.correlationid.clone(), now)
            },
            goods_back: false,
            says: vec![Said::Rejected(StockCommitRejected { order_id, reason })],
        }
    }

    /// Whether goods are out of the stock for it.
    pub const fn has_goods(&self) -> bool {
        matches!(self.status, Status::Held | Status::Sold)
    }

    fn is_over(&self, now: Timestamp) -> bool {
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
#[path = "reservation_tests.rs"]
mod tests;
