//! What can happen to an order, and what it changes.

use catalog::domain::{Reservation, StockEvent, Transition as StockTransition, settle};
use contracts::calls::StockReservation;
use orders::domain::{Decision, Transition, cancel, decide as decide_order};

use crate::{
    Broken, Shop,
    deal::{Deal, Goods, Request, Stage},
    kind::{Consumer, Kind},
    provider::Call,
};

/// A step of one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `place-order` reserves the goods, if they are there.
    Reserve,
    /// It dies before it writes the order, or does not learn that it has the goods.
    DieBeforePlacing,
    /// The customer repeats the request under the same key.
    Retry,
    Place,
    HoldEnds,
    /// `expire-reservations` finds the reservation.
    Expire,
    /// A person cancels the order.
    Cancel,
    Deliver {
        to: Consumer,
        kind: Kind,
        course: Course,
    },
    /// A call whose caller has given up reaches the provider.
    Arrive {
        call: Call,
        agrees: bool,
    },
    /// The event is lost on its way out of the outbox; only without its sweep.
    Lose(Kind),
}

/// How far a consumer gets with an event, and what the provider says if it is
/// asked for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    Finishes { agrees: bool },
    DiesBeforeTheCall,
    DiesAfterTheCall { agrees: bool },
    DiesAfterTheRelease,
    GivesUpWaiting,
}

/// An action, and the order that it is about by its place in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionOf {
    pub index: usize,
    pub action: Action,
}

const COURSES: [Course; 7] = [
    Course::Finishes { agrees: true },
    Course::Finishes { agrees: false },
    Course::DiesBeforeTheCall,
    Course::DiesAfterTheCall { agrees: true },
    Course::DiesAfterTheCall { agrees: false },
    Course::DiesAfterTheRelease,
    Course::GivesUpWaiting,
];

impl Shop {
    pub(crate) fn possible(&self, deal: &Deal) -> Vec<Action> {
        let mut actions = Vec::new();
        match deal.request {
            Request::Waiting => actions.push(Action::Reserve),
            Request::Reserved | Request::ReservedAgain => {
                actions.extend([Action::Place, Action::DieBeforePlacing]);
            }
            Request::Interrupted => actions.push(Action::Retry),
            Request::InterruptedAgain | Request::Refused | Request::Placed => {}
        }
        if deal.goods.is_some() && !deal.overdue {
            actions.push(Action::HoldEnds);
        }
        if deal.has_goods() && !self.is_broken(Broken::Expiry) {
            actions.push(Action::Expire);
        }
        if deal.order.is_some() {
            actions.push(Action::Cancel);
        }
        for call in [Call::Authorize, Call::Capture, Call::Void, Call::Release] {
            if deal.provider.is_under_way(call) {
                let answers = [true, false];
                actions.extend(answers.map(|agrees| Action::Arrive { call, agrees }));
            }
        }
        for kind in deal.announced.iter() {
            for &to in self.consumers(kind) {
                let courses = match to {
                    Consumer::Payments => &COURSES[..],
                    Consumer::Orders | Consumer::Catalog => &COURSES[..1],
                };
                let deliver = |course| Action::Deliver { to, kind, course };
                actions.extend(courses.iter().copied().map(deliver));
            }
            if self.is_broken(Broken::OutboxSweep) {
                actions.push(Action::Lose(kind));
            }
        }
        actions
    }

    pub(crate) fn consumers(&self, kind: Kind) -> &'static [Consumer] {
        if kind == Kind::OrderAuthorized && self.is_broken(Broken::CaptureAfterSale) {
            return &[Consumer::Catalog, Consumer::Payments];
        }
        kind.consumers()
    }

    pub(crate) fn perform(&self, action: Action, deal: &mut Deal, stock: &mut u8) {
        match action {
            Action::Reserve if *stock == 0 => deal.request = Request::Refused,
            Action::Reserve => {
                *stock -= 1;
                deal.goods = Some(Goods::Held);
                deal.request = Request::Reserved;
            }
            Action::DieBeforePlacing => {
                deal.request = match deal.request {
                    Request::Reserved => Request::Interrupted,
                    _ => Request::InterruptedAgain,
                }
            }
            Action::Retry => self.retry(deal),
            Action::Place => {
                deal.request = Request::Placed;
                deal.order = Some(Stage::Pending);
                deal.announce(Kind::OrderPlaced);
            }
            Action::HoldEnds => deal.overdue = true,
            Action::Expire => self.expire(deal, stock),
            Action::Cancel => self.cancel(deal),
            Action::Arrive { call, agrees } => {
                deal.provider
                    .arrive(call, agrees, self.is_broken(Broken::ProviderKey));
            }
            Action::Lose(kind) => {
                for &consumer in kind.consumers() {
                    deal.inbox(consumer).handled.add(kind);
                }
            }
            Action::Deliver { to, kind, course } => {
                let is_done = match to {
                    Consumer::Orders => self.advance_order(kind, deal),
                    Consumer::Catalog => self.settle_reservation(kind, deal, stock),
                    Consumer::Payments => self.process_payment(kind, course, deal),
                };
                if is_done {
                    deal.inbox(to).handled.add(kind);
                }
            }
        }
    }

    fn retry(&self, deal: &mut Deal) {
        let Some(goods) = deal.goods else { return };
        let reservation = self.facts.reservation(goods, deal.catalog.seen);
        let reply = reservation.repeated_reply(&self.facts.quantities(), self.facts.now(deal));
        deal.request = match reply {
            StockReservation::Held { .. } => Request::ReservedAgain,
            _ => Request::Refused,
        };
    }

    fn cancel(&self, deal: &mut Deal) {
        let Some(stage) = deal.order else { return };
        let asked = match stage {
            Stage::Committed if self.is_broken(Broken::CancelBeforeSale) => Stage::Authorized,
            stage => stage,
        };
        if let Ok(transition) = cancel(&self.facts.order(asked)) {
            self.transit(deal, stage, &transition);
        }
    }

    /// Whether the event has been dealt with, rather than being deferred.
    fn advance_order(&self, kind: Kind, deal: &mut Deal) -> bool {
        let Some(event) = &self.facts.event(kind).for_orders else {
            return true;
        };
        let Some(stage) = deal.order else {
            return event.may_lack_order();
        };
        if deal.orders.seen.has(kind) {
            return true;
        }
        match decide_order(&self.facts.order(stage), event) {
            Decision::Apply(transition) => {
                self.transit(deal, stage, &transition);
                deal.orders.seen.add(kind);
                true
            }
            // No event is lost here, so nobody has to be reminded.
            Decision::Ignore(_) | Decision::Remind | Decision::Close => true,
            Decision::Defer(_) => false,
            Decision::Contradiction(_) => {
                deal.contradicted = true;
                true
            }
        }
    }

    fn transit(&self, deal: &mut Deal, stage: Stage, transition: &Transition) {
        let order = self.facts.order(stage);
        let order = order.apply(transition, self.facts.now(deal));
        deal.order = Some(Stage::of(&order));
        deal.announce(match transition {
            Transition::Authorized(_) => Kind::OrderAuthorized,
            Transition::Committed(_) => Kind::OrderCommitted,
            Transition::Confirmed(_) => Kind::OrderConfirmed,
            Transition::Cancelled(_) => Kind::OrderCancelled,
            Transition::PaymentFailed(_) => Kind::OrderPaymentFailed,
        });
    }

    fn expire(&self, deal: &mut Deal, stock: &mut u8) {
        let Some(goods) = deal.goods else { return };
        let read = match goods {
            Goods::Sold if self.is_broken(Broken::ExpiryCondition) => Goods::Held,
            goods => goods,
        };
        let reservation = self.facts.reservation(read, deal.catalog.seen);
        if let Some(transition) = reservation.expire(self.facts.now(deal)) {
            restock(deal, stock, &transition);
        }
    }

    fn settle_reservation(&self, kind: Kind, deal: &mut Deal, stock: &mut u8) -> bool {
        let Some(event) = &self.facts.event(kind).for_catalog else {
            return true;
        };
        let seen = if self.is_broken(Broken::Deduplication) {
            Default::default()
        } else {
            deal.catalog.seen
        };
        let reservation = deal.goods.map(|goods| self.facts.reservation(goods, seen));
        if let Some(transition) = settle(reservation.as_ref(), event, self.facts.now(deal)) {
            restock(deal, stock, &transition);
            deal.catalog.seen.add(kind);
        }
        true
    }
}

fn restock(deal: &mut Deal, stock: &mut u8, transition: &StockTransition) {
    deal.goods = Some(Goods::of(&transition.reservation));
    if transition.restock {
        *stock += 1;
    }
    for event in &transition.events {
        deal.announce(match event {
            StockEvent::Committed(_) => Kind::StockCommitted,
            StockEvent::CommitRejected(_) => Kind::StockCommitRejected,
            StockEvent::Expired(_) => Kind::ReservationExpired,
            StockEvent::Released(_) => Kind::StockReleased,
        });
    }
}

impl Stage {
    fn of(order: &orders::domain::Order) -> Self {
        use orders::domain::Status as S;

        match (order.status, order.committed) {
            (S::Pending, _) => Self::Pending,
            (S::Authorized, false) => Self::Authorized,
            (S::Authorized, true) => Self::Committed,
            (S::Confirmed | S::Shipped | S::Delivered | S::Refunded, _) => Self::Confirmed,
            (S::Cancelled, _) => Self::Cancelled,
            (S::PaymentFailed, _) => Self::PaymentFailed,
        }
    }
}

impl Goods {
    const fn of(reservation: &Reservation) -> Self {
        use catalog::domain::Status as S;

        match reservation.status {
            S::Held => Self::Held,
            S::Sold => Self::Sold,
            S::Released => Self::Released,
            S::Expired => Self::Expired,
            S::Missing => Self::Missing,
        }
    }
}
