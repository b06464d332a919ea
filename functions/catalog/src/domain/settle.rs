//! What an event of an order means for its reservation.

use jiff::Timestamp;

use super::{OrderEvent, OrderOutcome, Reservation, Transition};

/// Returns the transition that the event requires, if any.
pub fn settle(
    reservation: Option<&Reservation>,
    event: &OrderEvent,
    now: Timestamp,
) -> Option<Transition> {
    match (event.outcome, reservation) {
        (OrderOutcome::Authorized, Some(reservation)) => reservation.commit(&event.dedup_key, now),
        (OrderOutcome::Authorized, None) => Some(Reservation::reject_missing(event, now)),
        (OrderOutcome::Ended, Some(reservation)) => reservation.release(&event.dedup_key, now),
        // Goods are reserved before their order is placed, so no reservation
        // can follow this event. If one did, it would expire.
        (OrderOutcome::Ended, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use kernel::OrderId;
    use uuid::Uuid;

    use super::*;
    use crate::domain::Status;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn order_id() -> OrderId {
        Uuid::from_u128(1).into()
    }

    fn event(outcome: OrderOutcome) -> OrderEvent {
        OrderEvent {
            order_id: order_id(),
            outcome,
            dedup_key: "event".into(),
            correlation_id: "correlation".into(),
        }
    }

    fn status(reservation: Option<&Reservation>, outcome: OrderOutcome) -> Option<Status> {
        let transition = settle(reservation, &event(outcome), NOW);
        transition.map(|transition| transition.reservation.status)
    }

    #[test]
    fn an_authorised_order_gets_its_goods_and_an_ended_one_releases_them() {
        let held = Reservation::hold(order_id(), Vec::new(), "correlation".into(), NOW);
        let outcomes = [OrderOutcome::Authorized, OrderOutcome::Ended];
        let with = outcomes.map(|outcome| status(Some(&held), outcome));
        assert_eq!(with, [Some(Status::Sold), Some(Status::Released)]);
        let without = outcomes.map(|outcome| status(None, outcome));
        assert_eq!(without, [Some(Status::Missing), None]);
    }

    #[test]
    fn a_repeated_event_requires_no_transition() {
        for outcome in [OrderOutcome::Authorized, OrderOutcome::Ended] {
            let held = Reservation::hold(order_id(), Vec::new(), "correlation".into(), NOW);
            let settled = settle(Some(&held), &event(outcome), NOW).unwrap();
            let repeated = settle(Some(&settled.reservation), &event(outcome), NOW);
            assert_eq!(repeated, None, "{outcome:?}");
        }
    }
}
