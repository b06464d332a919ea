//! One order with its goods, its payment and its messages.

use std::fmt;

use crate::{
    kind::{Consumer, Kind, Kinds},
    provider::{Money, Provider},
};

/// A customer's request and what has become of it, in every service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Deal {
    pub(crate) request: Request,
    pub(crate) order: Option<Stage>,
    pub(crate) goods: Option<Goods>,
    /// Whether the hold period is over.
    pub(crate) overdue: bool,
    pub(crate) money: Option<Money>,
    pub(crate) provider: Provider,
    /// What the services have written to their outboxes.
    pub(crate) announced: Kinds,
    pub(crate) orders: Inbox,
    pub(crate) catalog: Inbox,
    pub(crate) payments: Inbox,
    /// An event met a state that it contradicts.
    pub(crate) contradicted: bool,
    /// Something was announced twice.
    pub(crate) repeated: bool,
}

/// What a consumer has received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Inbox {
    /// At least once, successfully: the queue has let go of it.
    pub(crate) handled: Kinds,
    /// What is recorded with the state that it changed.
    pub(crate) seen: Kinds,
}

/// `place-order`, and the customer who calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Request {
    #[default]
    Waiting,
    /// Goods are reserved, and the order is about to be written.
    Reserved,
    /// The function died there; the customer may come back with the same key.
    Interrupted,
    ReservedAgain,
    InterruptedAgain,
    Refused,
    Placed,
}

/// The state of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Stage {
    Pending,
    Authorized,
    Committed,
    Confirmed,
    Cancelled,
    PaymentFailed,
}

/// The state of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Goods {
    Held,
    Sold,
    Released,
    Expired,
    Missing,
}

impl Deal {
    pub(crate) const fn inbox(&mut self, consumer: Consumer) -> &mut Inbox {
        match consumer {
            Consumer::Orders => &mut self.orders,
            Consumer::Catalog => &mut self.catalog,
            Consumer::Payments => &mut self.payments,
        }
    }

    pub(crate) const fn announce(&mut self, kind: Kind) {
        self.repeated |= self.announced.has(kind);
        self.announced.add(kind);
    }

    pub(crate) const fn has_goods(&self) -> bool {
        matches!(self.goods, Some(Goods::Held | Goods::Sold))
    }

    /// Grows with every step, so that no step can be undone.
    pub(crate) fn progress(&self) -> u32 {
        let inboxes = [self.orders, self.catalog, self.payments];
        let received = inboxes.map(|inbox| inbox.handled.len() + inbox.seen.len());
        let goods = match self.goods {
            None => 0,
            Some(Goods::Held) => 1,
            Some(Goods::Sold) => 2,
            Some(Goods::Released | Goods::Expired | Goods::Missing) => 3,
        };
        self.request as u32
            + self.order.map_or(0, |stage| stage as u32 + 1)
            + goods
            + u32::from(self.overdue)
            + self.money.map_or(0, |money| money as u32 + 1)
            + self.provider.progress()
            + self.announced.len()
            + received.iter().sum::<u32>()
            + u32::from(self.contradicted)
    }
}

impl fmt::Display for Deal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.request)?;
        if let Some(order) = self.order {
            write!(f, ", order {order:?}")?;
        }
        if let Some(goods) = self.goods {
            let overdue = if self.overdue { " (overdue)" } else { "" };
            write!(f, ", goods {goods:?}{overdue}")?;
        }
        if let Some(money) = self.money {
            write!(f, ", payment {money:?}")?;
        }
        write!(f, "{}", self.provider)
    }
}
