//! Steps that make no difference are taken at once, so that the search does not
//! try every moment for each of them.

use orders::domain::{Decision, decide as decide_order};
use payments::domain::Action as PaymentAction;
use payments::domain::decide as decide_payment;

use crate::{
    Shop,
    deal::{Deal, Goods, Stage},
    kind::{Consumer, Kind},
    provider::Money,
};

impl Shop {
    /// Receives what can only be ignored: in a state that never changes again, it
    /// does not matter when. For the same reason the hold period ends at once when
    /// nothing is held any more.
    pub(crate) fn absorb(&self, deal: &mut Deal) {
        if deal.goods.is_some_and(|goods| goods != Goods::Held) {
            deal.overdue = true;
        }
        for kind in deal.announced.iter() {
            for &to in self.consumers(kind) {
                if self.is_ignored_for_ever(to, kind, deal) {
                    deal.inbox(to).handled.add(kind);
                }
            }
        }
    }

    fn is_ignored_for_ever(&self, to: Consumer, kind: Kind, deal: &Deal) -> bool {
        let event = self.facts.event(kind);
        match to {
            Consumer::Orders => {
                let ended = deal.order.filter(|stage| {
                    matches!(
                        stage,
                        Stage::Confirmed | Stage::Cancelled | Stage::PaymentFailed
                    )
                });
                let decision = ended
                    .zip(event.for_orders.as_ref())
                    .map(|(stage, event)| decide_order(&self.facts.order(stage), event));
                matches!(decision, Some(Decision::Ignore(_)))
            }
            Consumer::Catalog => {
                let is_end = matches!(kind, Kind::OrderCancelled | Kind::OrderPaymentFailed);
                is_end && deal.goods.is_some() && !deal.has_goods()
            }
            Consumer::Payments => {
                let ended = deal.money.filter(|money| {
                    matches!(
                        money,
                        Money::Declined
                            | Money::Captured
                            | Money::CaptureFailed
                            | Money::Voided
                            | Money::NeverAsked
                    )
                });
                let decision = ended
                    .zip(event.for_payments.as_ref())
                    .map(|(money, event)| decide_payment(Some(&self.facts.payment(money)), event));
                matches!(decision, Some(PaymentAction::Ignore(_)))
            }
        }
    }
}
