//! What an order's event means for its payment. Payments obeys: it decides
//! nothing about an order, only what may still be done with the money.

use contracts::{
    Envelope, EventData, ReadEventError,
    events::{OrderCancelled, OrderCommitted, OrderPaymentFailed, OrderPlaced},
};
use kernel::{Money, OrderId, PaymentId, UserId};

use super::{Intent, Payment, ProviderReference, Status};

/// What orders says happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// An order was placed: ask for its money.
    Placed(OrderPlaced),
    /// Its goods are sold: take the money.
    Committed(OrderCommitted),
    /// It is over, one way or another: give the promise back.
    Over(Over),
}

/// An order that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Over {
    /// Which.
    pub order_id: OrderId,
    /// Whose.
    pub user_id: UserId,
    /// Its payment.
    pub payment_id: PaymentId,
    /// What it came to.
    pub total: Money,
}

impl Input {
    /// What an event says to payments; `None` when it says nothing to them.
    ///
    /// # Errors
    /// When its data does not read.
    pub fn read(event: &Envelope) -> Result<Option<Self>, ReadEventError> {
        Ok(Some(match event.event_type.as_str() {
            OrderPlaced::TYPE => Self::Placed(event.read()?),
            OrderCommitted::TYPE => Self::Committed(event.read()?),
            OrderCancelled::TYPE => {
                let cancelled: OrderCancelled = event.read()?;
                Self::Over(Over {
                    order_id: cancelled.order_id,
                    user_id: cancelled.user_id,
                    payment_id: cancelled.payment_id,
                    total: cancelled.total,
                })
            }
            OrderPaymentFailed::TYPE => {
                let failed: OrderPaymentFailed = event.read()?;
                Self::Over(Over {
                    order_id: failed.order_id,
                    user_id: failed.user_id,
                    payment_id: failed.payment_id,
                    total: failed.total,
                })
            }
            _ => return Ok(None),
        }))
    }

    /// The payment that it is about.
    pub const fn payment_id(&self) -> PaymentId {
        match self {
            Self::Placed(placed) => placed.payment_id,
            Self::Committed(committed) => committed.payment_id,
            Self::Over(over) => over.payment_id,
        }
    }

    const fn order_and_amount(&self) -> (OrderId, Money) {
        match self {
            Self::Placed(placed) => (placed.order_id, placed.total),
            Self::Committed(committed) => (committed.order_id, committed.total),
            Self::Over(over) => (over.order_id, over.total),
        }
    }
}

/// What is to be done about an [`Input`].
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Ask the provider for a promise, and record the payment.
    Authorize(OrderPlaced),
    /// Take the money that is promised under the reference.
    Capture(ProviderReference),
    /// Give the promise under the reference back.
    Void(ProviderReference),
    /// Record the payment as voided before it ever was, so that the order's
    /// `order.placed`, which is still to come, asks for nothing.
    Bury(Over),
    /// Give back whatever may be promised under the payment's id: a try of
    /// this very event may have asked for it, and died before it wrote so.
    VoidStray,
    /// Nothing: it is settled already.
    Ignore(&'static str),
    /// It came before its cause: it must come again.
    NotYet(&'static str),
    /// It cannot be true together with what the payment knows: a person must
    /// look at it, because money may be where it should not be.
    Contradiction(&'static str),
}

/// How far a payment is, as far as deciding goes.
enum Stage<'a> {
    Missing,
    Authorized(&'a ProviderReference),
    Capturing(&'a ProviderReference),
    Voiding(&'a ProviderReference),
    Captured,
    /// Declined, or the capture failed: no money, and none to be had.
    Declined,
    CaptureFailed,
    /// Voided after a promise that was recorded.
    Voided,
    /// Voided before any promise was recorded.
    Buried,
    /// Authorised without a reference: not written by this service.
    Broken,
}

fn stage(payment: Option<&Payment>) -> Stage<'_> {
    let Some(payment) = payment else {
        return Stage::Missing;
    };
    match (payment.status, payment.intent, &payment.provider_reference) {
        (Status::Authorized, None, Some(reference)) => Stage::Authorized(reference),
        (Status::Authorized, Some(Intent::Capture), Some(reference)) => Stage::Capturing(reference),
        (Status::Authorized, Some(Intent::Void), Some(reference)) => Stage::Voiding(reference),
        (Status::Authorized, _, None) => Stage::Broken,
        (Status::Declined, _, _) => Stage::Declined,
        (Status::Captured, _, _) => Stage::Captured,
        (Status::CaptureFailed, _, _) => Stage::CaptureFailed,
        (Status::Voided, _, Some(_)) => Stage::Voided,
        (Status::Voided, _, None) => Stage::Buried,
    }
}

/// Decides what `input` means for its payment, which may not be there yet. The
/// table is complete by the compiler's check, without a catch-all.
pub fn decide(payment: Option<&Payment>, input: &Input) -> Action {
    use Action::{Contradiction, Ignore, NotYet};
    use Input::{Committed, Over, Placed};

    if let Some(payment) = payment
        && (payment.order_id, payment.amount) != input.order_and_amount()
    {
        return Contradiction("it is about another order or amount than the payment's");
    }
    match (stage(payment), input) {
        (Stage::Missing, Placed(placed)) => Action::Authorize(placed.clone()),
        (Stage::Missing, Committed(_)) => NotYet("an order is committed after its payment"),
        (Stage::Missing, Over(over)) => Action::Bury(over.clone()),

        (Stage::Authorized(_), Placed(_)) => Ignore("the promise is recorded"),
        (Stage::Authorized(reference), Committed(_)) => Action::Capture(reference.clone()),
        (Stage::Authorized(reference), Over(_)) => Action::Void(reference.clone()),

        // Whoever began may have died: it is asked for again, under the same key.
        (Stage::Capturing(reference), Committed(_)) => Action::Capture(reference.clone()),
        (Stage::Capturing(_), Placed(_)) => Ignore("the promise is recorded"),
        (Stage::Capturing(_), Over(_)) => NotYet("the money is being taken"),

        (Stage::Voiding(reference), Over(_)) => Action::Void(reference.clone()),
        (Stage::Voiding(_), Placed(_)) => Ignore("the promise is recorded"),
        (Stage::Voiding(_), Committed(_)) => Contradiction("an order is committed after its end"),

        (Stage::Captured, Placed(_) | Committed(_)) => Ignore("the money is taken"),
        // It would have to be refunded, which nobody has decided to.
        (Stage::Captured, Over(_)) => Contradiction("an order is over after its money was taken"),

        (Stage::Declined, Placed(_) | Over(_)) => Ignore("no money was promised"),
        (Stage::Declined, Committed(_)) => {
            Contradiction("an order is committed without a promise of money")
        }

        (Stage::CaptureFailed, Placed(_) | Committed(_) | Over(_)) => {
            Ignore("the money could not be taken")
        }

        (Stage::Voided, Placed(_) | Over(_)) => Ignore("the promise was given back"),
        (Stage::Buried, Placed(_)) => Action::VoidStray,
        (Stage::Buried, Over(_)) => Ignore("the order is over"),
        (Stage::Voided | Stage::Buried, Committed(_)) => {
            Contradiction("an order is committed after its end")
        }

        (Stage::Broken, Placed(_) | Committed(_) | Over(_)) => {
            Contradiction("the payment is authorised without a reference")
        }
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
