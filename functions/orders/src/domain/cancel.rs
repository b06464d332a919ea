//! Cancelling an order by hand.

use contracts::events::{CancellationReason, OrderCancelled};

use super::{Order, Status, Transition};

/// Why an order cannot be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CancelOrderError {
    /// From here on the order can only be paid: the capture may be under way, and
    /// nothing could tell whether the cancellation or the charge came first.
    #[error("its goods are sold and its payment is being captured")]
    Committed,
    #[error("it is paid; a paid order needs a refund, which does not exist yet")]
    Paid,
    #[error("it has already ended")]
    Ended,
}

/// The transition that cancels an order whose goods are not sold. Whatever is under
/// way for it meets the order's end as it would meet an expired reservation: goods
/// that are sold to it meanwhile are released, and what is authorised is voided.
pub fn cancel(order: &Order) -> Result<Transition, CancelOrderError> {
    match (order.status, order.committed) {
        (Status::Pending, _) | (Status::Authorized, false) => {
            Ok(Transition::Cancelled(OrderCancelled {
                order_id: order.order_id,
                user_id: order.user_id,
                payment_id: order.payment_id,
                total: order.total,
                reason: CancellationReason::CancelledByShop,
            }))
        }
        (Status::Authorized, true) => Err(CancelOrderError::Committed),
        (Status::Confirmed | Status::Shipped | Status::Delivered | Status::Refunded, _) => {
            Err(CancelOrderError::Paid)
        }
        (Status::Cancelled | Status::PaymentFailed, _) => Err(CancelOrderError::Ended),
    }
}

#[cfg(test)]
mod tests {
    use contracts::{Envelope, Stamp};
    use kernel::{Actor, Cause, Currency, Money, Timestamp};

    use super::*;

    fn order(status: Status, committed: bool) -> Order {
        let placed = contracts::events::OrderPlaced {
            order_id: testkit::new_id(),
            user_id: testkit::new_id(),
            payment_id: testkit::new_id(),
            payment_method: "pm_card_visa".into(),
            lines: Vec::new(),
            total: Money::new(500, Currency::EUR).unwrap(),
            held_until: Timestamp::UNIX_EPOCH,
        };
        let stamp = Stamp {
            id: testkit::new_id(),
            time: Timestamp::UNIX_EPOCH,
            cause: Cause::new("chain", "request", Actor::Anonymous),
        };
        Order {
            status,
            committed,
            ..Order::fold(&[Envelope::new(&placed, stamp)])
                .unwrap()
                .unwrap()
        }
    }

    #[test]
    fn an_order_can_be_cancelled_until_its_goods_are_sold() {
        use CancelOrderError::{Committed, Ended, Paid};

        for (status, committed, refused) in [
            (Status::Pending, false, None),
            (Status::Authorized, false, None),
            (Status::Authorized, true, Some(Committed)),
            (Status::Confirmed, true, Some(Paid)),
            (Status::Shipped, true, Some(Paid)),
            (Status::Delivered, true, Some(Paid)),
            (Status::Refunded, true, Some(Paid)),
            (Status::Cancelled, false, Some(Ended)),
            (Status::PaymentFailed, true, Some(Ended)),
        ] {
            let order = order(status, committed);
            let cancelled = cancel(&order);
            assert_eq!(cancelled.as_ref().err().copied(), refused, "{status:?}");
            if let Ok(transition) = cancelled {
                let next = order.apply(&transition, Timestamp::UNIX_EPOCH);
                assert_eq!(next.status, Status::Cancelled);
                assert_eq!(next.status_reason.as_deref(), Some("cancelled_by_shop"));
            }
        }
    }
}
