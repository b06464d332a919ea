//! What becomes of an order that has not come to its end in time.

use contracts::events::CancellationReason;
use kernel::{SignedDuration, Timestamp};

use super::{Order, Status, Transition, decide::cancelled};

/// How long goods are held for an order that does not say until when: as long as
/// catalog holds them.
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
    let assumed = order.placed_at.saturating_add(HOLD_PERIOD);
    let held_until = order.held_until.or(assumed.ok());
    let ends = held_until.and_then(|until| until.checked_add(PENDING_GRACE).ok());
    ends.is_some_and(|ends| ends <= now)
}

#[cfg(test)]
mod tests {
    use contracts::events::OrderPlaced;
    use kernel::{Currency, Money};

    use super::*;

    fn order(status: Status, committed: bool, held_until: Option<Timestamp>) -> Order {
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
            held_until,
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
        let until = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(7);
        let known = order(Status::Pending, false, Some(until));
        let unknown = order(Status::Pending, false, None);
        assert_eq!(
            [5, 11, 12].map(|at| after(&known, at)),
            ["remind", "remind", "cancelled"]
        );
        assert_eq!(
            [5, 19, 20].map(|at| after(&unknown, at)),
            ["remind", "remind", "cancelled"]
        );
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
            let order = order(status, committed, Some(Timestamp::UNIX_EPOCH));
            assert_eq!(after(&order, 60), expected, "{status:?} {committed}");
        }
    }
}
