//! One order: what became of it, and what a person can do about it.

mod cancel;
mod resume;
mod show;

use dynamo::{Key, OutboxItem};
use kernel::OrderId;
use runtime::Error;

use crate::{Shop, facts::Facts};

pub use cancel::{Cancelled, cancel};
pub use resume::{Announced, Resumed, resume};
pub use show::{Report, show};

/// Events of one subject in one service: its states allow fewer than ten.
const EVENTS_MAX: usize = 100;

/// An event with the service that published it.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) service: &'static str,
    pub(crate) item: OutboxItem,
}

/// Reads an order with its payment and its goods, all strongly consistent.
///
/// # Errors
/// When a store fails.
pub async fn facts(shop: &Shop, id: OrderId) -> Result<Facts, Error> {
    let order = shop.orders.find(id).await?.map(|stored| stored.order);
    let payment = match &order {
        Some(order) => shop.payments.find(order.payment_id).await?,
        None => None,
    };
    Ok(Facts {
        payment: payment.map(|stored| stored.payment),
        goods: shop.catalog.reservation(id).await?,
        order,
    })
}

/// The events about an order, its payment and its goods, oldest first.
async fn events(shop: &Shop, id: OrderId, facts: &Facts) -> Result<Vec<Recorded>, Error> {
    let mut partitions = vec![
        ("orders", format!("ORDER#{id}")),
        ("catalog", format!("RESERVATION#{id}")),
    ];
    if let Some(order) = &facts.order {
        partitions.push(("payments", format!("PAYMENT#{}", order.payment_id)));
    }
    let mut events = Vec::new();
    for (service, pk) in partitions {
        let table = shop.table(service)?;
        let items: Vec<OutboxItem> = table.list(&pk, "EVENT#", EVENTS_MAX).await?;
        events.extend(items.into_iter().map(|item| Recorded { service, item }));
    }
    events.sort_by_key(|event| event.item.envelope().map(|envelope| envelope.id).ok());
    Ok(events)
}

impl Recorded {
    pub(crate) fn key(&self) -> Key {
        self.item.key()
    }
}
