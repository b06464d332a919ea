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
