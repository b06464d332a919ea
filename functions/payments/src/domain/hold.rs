//! Payments are for goods that are held.

use contracts::events::OrderPlaced;
use kernel::{SignedDuration, Timestamp};

use super::{Action, OrderEnded, OrderEvent, Payment, decide};

/// What the provider, orders and catalog need from here to the sale: the provider is
/// asked within seconds, and each of two events takes about one.
const SALE_MARGIN: SignedDuration = SignedDuration::from_secs(30);

/// As [`decide`], but nobody is asked for money for goods that are held no longer, or
/// that cannot be sold in time: the order ends when its reservation does.
pub fn decide_in_time(payment: Option<&Payment>, event: &OrderEvent, now: Timestamp) -> Action {
    match (decide(payment, event), event) {
        (Action::Begin(placed), _) if is_too_late(&placed, now) => {
            Action::InsertTombstone(OrderEnded {
                order_id: placed.order_id,
                user_id: placed.user_id,
                payment_id: placed.payment_id,
                total: placed.total,
            })
        }
        // Whatever the provider has authorised meanwhile is voided at the order's end.
        (Action::Authorize(_), OrderEvent::Placed(placed)) if is_too_late(placed, now) => {
            Action::Ignore("the goods are held no longer")
        }
        (action, _) => action,
    }
}

fn is_too_late(placed: &OrderPlaced, now: Timestamp) -> bool {
    let latest = placed.held_until.saturating_sub(SALE_MARGIN);
    latest.is_ok_and(|latest| latest <= now)
}
