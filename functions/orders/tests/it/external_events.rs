//! What payments and catalog may report about one order.

use contracts::{
    Envelope,
    events::{
        PaymentAuthorized, PaymentCaptureFailed, PaymentCaptured, PaymentDeclined, RejectionReason,
        ReservationExpired, StockCommitRejected, StockCommitted,
    },
};
use orders::domain::Order;

use crate::fixture::TestOrders;

pub(crate) struct ExternalEvents {
    pub(crate) authorized: Envelope,
    pub(crate) declined: Envelope,
    pub(crate) committed: Envelope,
    pub(crate) rejected: Envelope,
    pub(crate) captured: Envelope,
    pub(crate) capture_failed: Envelope,
    pub(crate) expired: Envelope,
}

impl ExternalEvents {
    /// New events each time, with ids of their own.
    pub(crate) fn new(orders: &TestOrders, order: &Order) -> Self {
        let (order_id, payment_id, amount) = (order.order_id, order.payment_id, order.total);
        let reason = || "card_declined".to_owned();
        let expired = RejectionReason::ReservationExpired;
        Self {
            authorized: orders.event(&PaymentAuthorized {
                payment_id,
                order_id,
                amount,
            }),
            declined: orders.event(&PaymentDeclined {
                payment_id,
                order_id,
                reason: reason(),
            }),
            committed: orders.event(&StockCommitted { order_id }),
            rejected: orders.event(&StockCommitRejected {
                order_id,
                reason: expired,
            }),
            captured: orders.event(&PaymentCaptured {
                payment_id,
                order_id,
                amount,
            }),
            capture_failed: orders.event(&PaymentCaptureFailed {
                payment_id,
                order_id,
                reason: reason(),
            }),
            expired: orders.event(&ReservationExpired { order_id }),
        }
    }

    pub(crate) fn by_name(&self, name: &str) -> &Envelope {
        match name {
            "authorized" => &self.authorized,
            "declined" => &self.declined,
            "committed" => &self.committed,
            "rejected" => &self.rejected,
            "captured" => &self.captured,
            "capture_failed" => &self.capture_failed,
            "expired" => &self.expired,
            other => panic!("no event {other}"),
        }
    }
}

/// A new order, with what may be reported about it.
pub(crate) async fn placed_order() -> (TestOrders, Order, ExternalEvents) {
    let orders = TestOrders::new().await;
    let order = orders.place(testkit::new_id()).await.order;
    let events = ExternalEvents::new(&orders, &order);
    (orders, order, events)
}
