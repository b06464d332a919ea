//! What holds of an order, always or at its end.

use crate::{
    deal::{Deal, Goods, Request, Stage},
    kind::Consumer,
    provider::Money,
};

impl Deal {
    pub(crate) const fn is_charged_rightly(&self) -> bool {
        match self.provider.charges {
            0 => true,
            1 => matches!(self.goods, Some(Goods::Sold)),
            _ => false,
        }
    }

    /// Whether nothing is under way for it any more.
    pub(crate) fn is_at_rest(&self) -> bool {
        let is_received = |consumer: &Consumer, kind| {
            let inbox = match consumer {
                Consumer::Orders => self.orders,
                Consumer::Catalog => self.catalog,
                Consumer::Payments => self.payments,
            };
            inbox.handled.has(kind)
        };
        let has_client_left = matches!(
            self.request,
            Request::Interrupted | Request::InterruptedAgain | Request::Refused | Request::Placed
        );
        has_client_left
            // The end of its hold period is still to come.
            && self.goods != Some(Goods::Held)
            && !self.provider.calls_under_way()
            && self
                .announced
                .iter()
                .all(|kind| kind.consumers().iter().all(|one| is_received(one, kind)))
    }

    /// Whether order, payment and goods agree on how it ended.
    pub(crate) const fn is_settled(&self) -> bool {
        let is_untouched = !self.provider.has_standing_promise() && self.provider.charges == 0;
        match self.order {
            Some(Stage::Pending | Stage::Authorized | Stage::Committed) => false,
            Some(Stage::Confirmed) => {
                self.provider.charges == 1
                    && matches!(self.money, Some(Money::Captured))
                    && matches!(self.goods, Some(Goods::Sold))
            }
            Some(Stage::Cancelled | Stage::PaymentFailed) => {
                is_untouched
                    && !self.has_goods()
                    && matches!(
                        self.money,
                        Some(
                            Money::Declined
                                | Money::Voided
                                | Money::CaptureFailed
                                | Money::NeverAsked
                        )
                    )
            }
            // A request that never became an order.
            None => is_untouched && !self.has_goods() && self.money.is_none(),
        }
    }
}
