//! Sets an order going again: its last events are published once more.

use std::{collections::BTreeMap, fmt};

use kernel::OrderId;
use runtime::Error;
use serde::Serialize;

use super::{events, facts};
use crate::{Shop, facts::Wait, text};

/// What was done to set an order going.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resumed {
    pub order_id: OrderId,
    pub announced: Vec<Announced>,
    /// What it waited for.
    pub waited: Option<Wait>,
}

/// An event that is published again.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Announced {
    pub service: &'static str,
    pub event: String,
}

/// Publishes the last event of the order, of its payment and of its goods again, as a
/// reminder. A consumer that has handled one announces its answer again; one that has not
/// goes on from there.
/// Safe to repeat, and harmless for an order that waits for nothing.
pub async fn resume(shop: &Shop, id: OrderId) -> Result<Resumed, Error> {
    let facts = facts(shop, id).await?;
    if facts.order.is_none() {
        return Err(format!(
            "there is no order {id}; goods without an order are released when their time is up"
        )
        .into());
    }
    let mut last = BTreeMap::new();
    for event in events(shop, id, &facts).await? {
        last.insert(event.service, event);
    }
    let mut announced = Vec::new();
    for (service, event) in last {
        let (table, key) = (shop.table(service)?, event.key());
        if !table.remind(key, shop.host.now()).await? {
            continue;
        }
        let envelope = event.item.envelope()?;
        announced.push(Announced {
            service,
            event: envelope.event_type,
        });
    }
    Ok(Resumed {
        order_id: id,
        announced,
        waited: facts.wait(),
    })
}

impl fmt::Display for Resumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Announced { service, event } in &self.announced {
            writeln!(f, "{service:<10} {event} is published again")?;
        }
        match &self.waited {
            Some(wait) => writeln!(
                f,
                "it waited for {}, since {}; see in a minute:\n  emporium order show {}",
                wait.what,
                text::time(wait.since),
                self.order_id
            ),
            None => writeln!(f, "it waited for nothing"),
        }
    }
}
