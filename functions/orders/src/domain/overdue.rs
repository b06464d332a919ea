//! What becomes of an order that has not come to its end in time.

use contracts::events::CancellationReason;
use kernel::{SignedDuration, Timestamp};

use super::{Order, Status, Transition, decide::cancelled};

/// How long catalog holds goods. They are reserved before their order is placed, so
/// they are held for no longer after that. Until when exactly is in `order.placed`: in
/// the order, it would cost four write units (docs/decisions/0009-what-an-order-writes.md).
const HOLD_PERIOD: SignedDuration = SignedDuration::from_mins(15);
/// How long after the end of its reservation a pending order is ended: the time in
/// which catalog reports that end, if the report is not lost.
const PENDING_GRACE: SignedDuration = SignedDuration::from_mins(5);

/// What an order requires that has waited for too long.
#[derive(Clone, Debug, PartialEq)]
pub enum Overdue {
    /// End it: its goods are held no longer, and nothing is charged before they are
    /// sold.
    End(Transition),
    /// Announce its last event again: payments or catalog has not answered it.
    Remind,
    /// Nothing: it is over.
    Nothing,
}

/// Decides what an order requires that has been looked at for `now`.
pub fn overdue(order: &Order, now: Timestamp) -> Overdue {
    match order.status {
        Status::Pending if is_hold_over(order, now) => {
            Overdue::End(cancelled(order, CancellationReason::ReservationExpired))
        }
        Status::Pending | Status::Authorized => Overdue::Remind,
        Status::Cancelled | Status::PaymentFailed if order.awaits_release() => Overdue::Remind,
        Status::Confirmed
        | Status::Shipped
        | Status::Delivered
        | Status::Refunded
        | Status::Cancelled
        | Status::PaymentFailed => Overdue::Nothing,
    }
}

fn is_hold_over(order: &Order, now: Timestamp) -> bool {
    let ends = order.placed_at.checked_add(HOLD_PERIOD + PENDING_GRACE);
    ends.is_ok_and(|ends| ends <= now)
}

#[cfg(test)]
mod tests {
    use contracts::events::OrderPlaced;
    use kernel::{Currency, Money};

    use super::*;

    fn order(status: Status, committed: bool) -> Order {
        let placed = OrderPlaced {
            order_id: testkit::new_id(),
            user_id: testkit::new_id(),
            payment_id: testkit::new_id(),
            payment_method: "pm_card_visa".into(),
            lines: Vec::new(),
            total: Money::new(1_000, Currency::USD).unwrap(),
            held_until: Timestamp::UNIX_EPOCH,
        };
        Order {
            status,
            committed,
            ..Order::from_placed(placed, Timestamp::UNIX_EPOCH)
        }
    }

    fn after(order: &Order, minutes: i64) -> &'static str {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        match overdue(order, now) {
            Overdue::End(Transition::Cancelled(_)) => "cancelled",
            Overdue::End(_) => "ended",
            Overdue::Remind => "remind",
            Overdue::Nothing => "-",
        }
    }

    #[test]
    fn a_pending_order_ends_once_its_goods_are_held_no_longer() {
        let pending = order(Status::Pending, false);
        let outcomes = [5, 19, 20].map(|at| after(&pending, at));
        assert_eq!(outcomes, ["remind", "remind", "cancelled"]);
    }

    #[test]
    fn what_payments_or_catalog_has_not_answered_is_announced_again() {
        for (status, committed, expected) in [
            (Status::Authorized, false, "remind"),
            (Status::Authorized, true, "remind"),
            (Status::PaymentFailed, true, "remind"),
            (Status::PaymentFailed, false, "-"),
            (Status::Cancelled, false, "-"),
            (Status::Confirmed, true, "-"),
            (Status::Shipped, true, "-"),
            (Status::Delivered, true, "-"),
            (Status::Refunded, true, "-"),
        ] {
            let order = order(status, committed);
            assert_eq!(after(&order, 60), expected, "{status:?} {committed}");
        }
    }
}
