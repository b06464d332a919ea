//! What is known of an order in the three services, what it waits for, and what in
//! it contradicts itself.

use catalog::domain::{Reservation, Status as GoodsStatus};
use kernel::{SignedDuration, Timestamp};
use orders::domain::{Order, Status as OrderStatus};
use payments::domain::{Intent, Payment, Status as PaymentStatus};
use serde::Serialize;

/// How long the payment and the goods of an order are kept at least once it has ended.
pub const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// An order with its payment and its goods.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub order: Option<Order>,
    pub payment: Option<Payment>,
    pub goods: Option<Reservation>,
}

/// What an order waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// The function whose turn it is, and what it has to do.
    #[serde(rename = "for")]
    pub what: &'static str,
    /// When something last changed.
    pub since: Timestamp,
}

/// Two facts that cannot both be right once an order has come to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Contradiction {
    ConfirmedWithoutCapture,
    ConfirmedWithoutGoods,
    CommittedWithoutGoods,
    ChargedAfterEnd,
    AuthorizationStanding,
    GoodsKeptAfterEnd,
    AmountsDiffer,
}

impl Contradiction {
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::ConfirmedWithoutCapture => {
                "the order is confirmed, but its payment is not captured"
            }
            Self::ConfirmedWithoutGoods => "the order is confirmed, but its goods are not sold",
            Self::CommittedWithoutGoods => {
                "the order counts its goods as sold, but they are not sold to it"
            }
            Self::ChargedAfterEnd => {
                "the order has ended, but its payment is captured: the customer needs a refund"
            }
            Self::AuthorizationStanding => {
                "the order has ended, but its payment is still authorised"
            }
            Self::GoodsKeptAfterEnd => "the order has ended, but its goods are not released",
            Self::AmountsDiffer => "the payment's amount is not the order's total",
        }
    }
}

impl Facts {
    /// When something last changed in any of the services.
    pub fn changed_at(&self) -> Option<Timestamp> {
        let order = self.order.as_ref().map(|order| order.updated_at);
        let payment = self.payment.as_ref().map(|payment| payment.updated_at);
        let goods = self.goods.as_ref().map(|goods| goods.updated_at);
        order.max(payment).max(goods)
    }

    /// What has to happen next; `None` when the order is settled.
    pub fn wait(&self) -> Option<Wait> {
        let since = self.changed_at()?;
        let what = self.next_step()?;
        Some(Wait { what, since })
    }

    fn next_step(&self) -> Option<&'static str> {
        use GoodsStatus as G;
        use PaymentStatus as P;

        let payment = self.payment.as_ref().map(|payment| payment.status);
        let intent = self.payment.as_ref().and_then(|payment| payment.intent);
        let goods = self.goods.as_ref().map(|goods| goods.status);
        let Some(order) = &self.order else {
            let is_held = goods == Some(G::Held);
            return is_held.then_some("expire-reservations to release goods without an order");
        };
        match (order.status, order.committed) {
            (OrderStatus::Pending, _) => Some(match payment {
                None => "process-payments to handle order.placed",
                Some(P::Pending) => "the payment provider to authorise",
                Some(P::Authorized) => "advance-orders to handle payment.authorized",
                Some(P::Declined) => "advance-orders to handle payment.declined",
                Some(P::Captured | P::CaptureFailed | P::Voided) => {
                    "a person: the payment has ended before its order"
                }
            }),
            (OrderStatus::Authorized, false) => Some(match goods {
                Some(G::Held) => "settle-reservations to handle order.authorized",
                Some(G::Sold) => "advance-orders to handle stock.committed",
                None => "settle-reservations to reject goods that do not exist",
                Some(G::Expired | G::Released | G::Missing) => {
                    "settle-reservations and advance-orders to cancel it: its goods are gone"
                }
            }),
            (OrderStatus::Authorized, true) => Some(match (payment, intent) {
                (Some(P::Authorized), None) => "process-payments to handle order.committed",
                (Some(P::Authorized), Some(Intent::Capture)) => "the payment provider to capture",
                (Some(P::Captured), _) => "advance-orders to handle payment.captured",
                (Some(P::CaptureFailed), _) => "advance-orders to handle payment.capture_failed",
                _ => "a person: its goods are sold and its payment cannot be captured",
            }),
            (OrderStatus::Cancelled | OrderStatus::PaymentFailed, _) => match (payment, goods) {
                (Some(P::Pending | P::Authorized), _) => {
                    Some("process-payments to void the authorisation")
                }
                (_, Some(G::Held | G::Sold)) => Some("settle-reservations to release its goods"),
                _ => None,
            },
            (
                OrderStatus::Confirmed
                | OrderStatus::Shipped
                | OrderStatus::Delivered
                | OrderStatus::Refunded,
                _,
            ) => None,
        }
    }

    /// What cannot stay as it is. Some of it is normal for a moment, while events
    /// are under way. What is missing of an order that ended over [`KEPT`] ago may
    /// have been removed.
    pub fn contradictions(&self, now: Timestamp) -> Vec<Contradiction> {
        use Contradiction as C;
        use PaymentStatus as P;

        let Some(order) = &self.order else {
            return Vec::new();
        };
        let payment = self.payment.as_ref().map(|payment| payment.status);
        let goods = self.goods.as_ref().map(|goods| goods.status);
        let has_goods = self.goods.as_ref().is_some_and(Reservation::has_goods);
        let mut found = Vec::new();
        let amount = self.payment.as_ref().map(|payment| payment.amount);
        if amount.is_some_and(|amount| amount != order.total) {
            found.push(C::AmountsDiffer);
        }
        match order.status {
            OrderStatus::Pending => {}
            OrderStatus::Authorized => {
                if order.committed && goods != Some(GoodsStatus::Sold) {
                    found.push(C::CommittedWithoutGoods);
                }
            }
            OrderStatus::Confirmed | OrderStatus::Shipped | OrderStatus::Delivered => {
                let is_kept = now.duration_since(order.updated_at) < KEPT;
                let counts = |is_there: bool| is_there || is_kept;
                if payment != Some(P::Captured) && counts(payment.is_some()) {
                    found.push(C::ConfirmedWithoutCapture);
                }
                if goods != Some(GoodsStatus::Sold) && counts(goods.is_some()) {
                    found.push(C::ConfirmedWithoutGoods);
                }
            }
            OrderStatus::Cancelled | OrderStatus::PaymentFailed => {
                match payment {
                    Some(P::Captured) => found.push(C::ChargedAfterEnd),
                    Some(P::Pending | P::Authorized) => found.push(C::AuthorizationStanding),
                    Some(P::Declined | P::CaptureFailed | P::Voided) | None => {}
                }
                if has_goods {
                    found.push(C::GoodsKeptAfterEnd);
                }
            }
            OrderStatus::Refunded => {}
        }
        found
    }
}
