//! What payments does with an event, and how far it gets before it dies.

use payments::domain::{
    Action as PaymentAction, Intent, Payment, Status, decide as decide_payment,
};

use crate::{
    Broken, Shop,
    deal::Deal,
    kind::Kind,
    provider::{Call, Money},
    step::Course,
};

impl Shop {
    pub(crate) fn process_payment(&self, kind: Kind, course: Course, deal: &mut Deal) -> bool {
        // Without its safeguard, the order's authorisation counts as the sale.
        let read_as = match kind {
            Kind::OrderAuthorized => Kind::OrderCommitted,
            kind => kind,
        };
        let Some(event) = &self.facts.event(read_as).for_payments else {
            return true;
        };
        if deal.payments.seen.has(kind) {
            return true;
        }
        let payment = deal.money.map(|money| self.facts.payment(money));
        match decide_payment(payment.as_ref(), event) {
            PaymentAction::Begin(placed) => {
                let pending = Payment::pending(&placed, self.facts.now(deal));
                if self.is_broken(Broken::PendingRecord) {
                    return self.authorize(kind, &pending, course, deal);
                }
                deal.money = Some(Money::of(&pending));
                // There is more to do, now or at the next delivery.
                false
            }
            PaymentAction::Authorize(_) => match payment {
                Some(payment) => self.authorize(kind, &payment, course, deal),
                None => false,
            },
            PaymentAction::Capture(_) => self.capture(kind, course, deal),
            PaymentAction::Void(_) => self.void(kind, course, deal),
            PaymentAction::InsertTombstone(ended) => {
                let tombstone = Payment::tombstone(&ended, self.facts.now(deal));
                deal.money = Some(Money::of(&tombstone));
                true
            }
            PaymentAction::Ignore(_) => true,
            PaymentAction::Defer(_) => false,
            PaymentAction::Contradiction(_) => {
                deal.contradicted = true;
                true
            }
        }
    }

    fn authorize(&self, kind: Kind, payment: &Payment, course: Course, deal: &mut Deal) -> bool {
        let Some(agrees) = self.call(Call::Authorize, course, deal) else {
            return false;
        };
        let now = self.facts.now(deal);
        let answered = if agrees {
            deal.announce(Kind::PaymentAuthorized);
            payment.authorized(self.facts.reference(), now)
        } else {
            deal.announce(Kind::PaymentDeclined);
            payment.declined("card_declined".into(), now)
        };
        deal.money = Some(Money::of(&answered));
        // The end of an order is not over with this: the authorisation is voided next.
        let is_done = kind == Kind::OrderPlaced;
        if is_done {
            deal.payments.seen.add(kind);
        }
        is_done
    }

    fn capture(&self, kind: Kind, course: Course, deal: &mut Deal) -> bool {
        deal.money = Some(Money::Capturing);
        let Some(agrees) = self.call(Call::Capture, course, deal) else {
            return false;
        };
        if !agrees && !self.is_broken(Broken::ReleaseAfterFailedCapture) {
            deal.provider.arrive(Call::Release, true, false);
            if course == Course::DiesAfterTheRelease {
                return false;
            }
        }
        let (status, announced) = if agrees {
            (Status::Captured, Kind::PaymentCaptured)
        } else {
            (Status::CaptureFailed, Kind::PaymentCaptureFailed)
        };
        self.settle_payment(kind, status, announced, deal);
        true
    }

    fn void(&self, kind: Kind, course: Course, deal: &mut Deal) -> bool {
        deal.money = Some(Money::Voiding);
        if self.call(Call::Void, course, deal).is_none() {
            return false;
        }
        self.settle_payment(kind, Status::Voided, Kind::PaymentVoided, deal);
        true
    }

    fn settle_payment(&self, kind: Kind, status: Status, announced: Kind, deal: &mut Deal) {
        if let Some(money) = deal.money {
            let payment = self.facts.payment(money);
            let settled = payment.settled(status, None, self.facts.now(deal));
            deal.money = Some(Money::of(&settled));
        }
        deal.announce(announced);
        deal.payments.seen.add(kind);
    }

    /// Asks the provider; `None` if the caller does not live to hear the answer.
    fn call(&self, call: Call, course: Course, deal: &mut Deal) -> Option<bool> {
        let again = call == Call::Capture && self.is_broken(Broken::ProviderKey);
        match course {
            Course::Finishes { agrees } => Some(deal.provider.arrive(call, agrees, again)),
            Course::DiesAfterTheRelease if call == Call::Capture => {
                let agrees = deal.provider.arrive(call, false, again);
                (!agrees).then_some(false)
            }
            Course::DiesBeforeTheCall | Course::DiesAfterTheRelease => None,
            Course::DiesAfterTheCall { agrees } => {
                deal.provider.arrive(call, agrees, again);
                None
            }
            Course::GivesUpWaiting => {
                deal.provider.delay(call);
                None
            }
        }
    }
}

impl Money {
    const fn of(payment: &Payment) -> Self {
        match (payment.status, payment.intent) {
            (Status::Pending, _) => Self::Pending,
            (Status::Authorized, None) => Self::Authorized,
            (Status::Authorized, Some(Intent::Capture)) => Self::Capturing,
            (Status::Authorized, Some(Intent::Void)) => Self::Voiding,
            (Status::Declined, _) => Self::Declined,
            (Status::Captured, _) => Self::Captured,
            (Status::CaptureFailed, _) => Self::CaptureFailed,
            (Status::Voided, _) if payment.provider_reference.is_none() => Self::NeverAsked,
            (Status::Voided, _) => Self::Voided,
        }
    }
}
