//! What an order event means for its payment. Orders decides what happens to
//! an order; this decides only which operation on the payment is still allowed.

use contracts::events::OrderPlaced;

use super::{Intent, OrderEnded, OrderEvent, Payment, ProviderReference, Status};

/// What an [`OrderEvent`] requires.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Record that the provider is about to be asked.
    Begin(OrderPlaced),
    /// Ask the provider, with this payment method, and record what it says. After
    /// the order's end too: the earlier request may still be under way, and only
    /// its answer shows what has to be voided.
    Authorize(String),
    Capture(ProviderReference),
    Void(ProviderReference),
    /// Record that the order ended before the provider was asked: see
    /// [`Payment::tombstone`].
    InsertTombstone(OrderEnded),
    /// The event has had its effect, or needs none.
    Ignore(&'static str),
    /// The event arrived before the one it depends on: deliver it again later.
    Defer(&'static str),
    /// The event contradicts the payment's state. A person has to look at it,
    /// because money may be in the wrong place.
    Contradiction(&'static str),
}

/// The state of a payment, as far as decisions depend on it.
enum State<'a> {
    Missing,
    Pending(&'a String),
    Authorized(&'a ProviderReference),
    Capturing(&'a ProviderReference),
    Voiding(&'a ProviderReference),
    Captured,
    Declined,
    CaptureFailed,
    Voided,
    Tombstone,
    /// Pending without a payment method, or authorised without a reference, which
    /// this service never writes.
    Invalid,
}

impl<'a> From<Option<&'a Payment>> for State<'a> {
    fn from(payment: Option<&'a Payment>) -> Self {
        let Some(payment) = payment else {
            return Self::Missing;
        };
        match (payment.status, payment.intent, &payment.provider_reference) {
            (Status::Pending, ..) => match &payment.payment_method {
                Some(method) => Self::Pending(method),
                None => Self::Invalid,
            },
            (Status::Authorized, None, Some(reference)) => Self::Authorized(reference),
            (Status::Authorized, Some(Intent::Capture), Some(reference)) => {
                Self::Capturing(reference)
            }
            (Status::Authorized, Some(Intent::Void), Some(reference)) => Self::Voiding(reference),
            (Status::Authorized, _, None) => Self::Invalid,
            (Status::Declined, _, _) => Self::Declined,
            (Status::Captured, _, _) => Self::Captured,
            (Status::CaptureFailed, _, _) => Self::CaptureFailed,
            (Status::Voided, _, Some(_)) => Self::Voided,
            (Status::Voided, _, None) => Self::Tombstone,
        }
    }
}

/// Decides what `event` requires of its payment, which may not exist yet. The
/// match has no catch-all, so the compiler checks that it is complete.
pub fn decide(payment: Option<&Payment>, event: &OrderEvent) -> Action {
    use Action::{Contradiction, Defer, Ignore};
    use OrderEvent::{Committed, Ended, Placed};

    if let Some(payment) = payment
        && (payment.order_id, payment.amount) != event.order_and_amount()
    {
        return Contradiction("the event names another order or amount than the payment");
    }
    match (State::from(payment), event) {
        // Announced again, without the method. The first event is still on its way, or
        // the reservation ends the order.
        (State::Missing, Placed(placed)) if placed.payment_method.is_empty() => {
            Ignore("the event does not have the payment method any longer")
        }
        (State::Missing, Placed(placed)) => Action::Begin(placed.clone()),
        (State::Missing, Committed(_)) => Defer("the payment does not exist yet"),
        (State::Missing, Ended(ended)) => Action::InsertTombstone(ended.clone()),

        (State::Pending(method), Placed(_) | Ended(_)) => Action::Authorize(method.clone()),
        (State::Pending(_), Committed(_)) => Defer("the payment is being authorised"),

        (State::Authorized(_), Placed(_)) => Ignore("the payment is authorised"),
        (State::Authorized(reference), Committed(_)) => Action::Capture(reference.clone()),
        (State::Authorized(reference), Ended(_)) => Action::Void(reference.clone()),

        // The attempt that began it may have died; repeating it under the same
        // key is safe.
        (State::Capturing(reference), Committed(_)) => Action::Capture(reference.clone()),
        (State::Capturing(_), Placed(_)) => Ignore("the payment is authorised"),
        (State::Capturing(_), Ended(_)) => Defer("the payment is being captured"),

        (State::Voiding(reference), Ended(_)) => Action::Void(reference.clone()),
        (State::Voiding(_), Placed(_)) => Ignore("the payment is authorised"),
        (State::Voiding(_), Committed(_)) => {
            Contradiction("the order was committed after it ended")
        }

        (State::Captured, Placed(_) | Committed(_)) => Ignore("the payment is captured"),
        // It would need a refund, which nobody has decided on.
        (State::Captured, Ended(_)) => {
            Contradiction("the order ended after its payment was captured")
        }

        (State::Declined, Placed(_) | Ended(_)) => Ignore("the payment was declined"),
        (State::Declined, Committed(_)) => {
            Contradiction("the order was committed although its payment was declined")
        }

        (State::CaptureFailed, Placed(_) | Committed(_) | Ended(_)) => {
            Ignore("the capture has failed")
        }

        (State::Voided, Placed(_) | Ended(_)) => Ignore("the authorisation was voided"),
        (State::Tombstone, Placed(_) | Ended(_)) => Ignore("the order has ended"),
        (State::Voided | State::Tombstone, Committed(_)) => {
            Contradiction("the order was committed after it ended")
        }

        (State::Invalid, Placed(_) | Committed(_) | Ended(_)) => {
            Contradiction("the payment lacks its method or its reference")
        }
    }
}

#[cfg(test)]
mod tests;
