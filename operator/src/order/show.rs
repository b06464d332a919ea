//! Everything about one order on one screen.

use std::fmt;

use dynamo::Key;
use kernel::{OrderId, Timestamp};
use runtime::Error;
use serde::{Deserialize, Serialize};

use super::{Recorded, events, facts};
use crate::{
    Shop,
    contradictions::{self, Listed},
    dead_letters::{self, DeadLetter},
    facts::{Contradiction, Facts, Wait},
    text,
};

/// The events that customers get a message about.
const ABOUT_MESSAGES: [&str; 3] = ["order.confirmed", "order.cancelled", "order.payment_failed"];

/// Characters of a product's name: the line has its id as well.
const NAME_MAX: usize = 40;

/// What is known of an order. Neither its address nor anybody's email is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub order_id: OrderId,
    pub order: Option<OrderPart>,
    pub payment: Option<PaymentPart>,
    pub goods: Option<GoodsPart>,
    pub messages: Vec<MessagePart>,
    pub history: Vec<HistoryPart>,
    pub dead_letters: Vec<DeadLetter>,
    pub contradictions: Vec<ContradictionPart>,
    /// Events that contradict what a service has recorded, until a person has settled them.
    pub contradicting_events: Vec<Listed>,
    pub waits: Option<Wait>,
    #[serde(skip)]
    now: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderPart {
    pub status: String,
    pub reason: Option<String>,
    pub goods_sold: bool,
    pub total: String,
    pub customer_id: String,
    pub version: u32,
    pub placed_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentPart {
    pub payment_id: String,
    pub status: String,
    pub intent: Option<String>,
    pub amount: String,
    pub failure: Option<String>,
    /// Both ends of it only.
    pub provider_reference: Option<String>,
    pub updated_at: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GoodsPart {
    pub status: String,
    pub held_until: Timestamp,
    pub lines: Vec<String>,
    pub updated_at: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessagePart {
    pub about: String,
    pub title: Option<String>,
    /// `not composed` while there is none.
    pub status: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryPart {
    pub at: Timestamp,
    pub service: &'static str,
    pub event: String,
    pub actor: String,
    /// Since when it has been waiting to be published.
    pub unsent_since: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
pub struct ContradictionPart {
    pub code: Contradiction,
    pub sentence: &'static str,
}

/// Reads all there is about an order.
pub async fn show(shop: &Shop, id: OrderId) -> Result<Report, Error> {
    let facts = facts(shop, id).await?;
    if facts.order.is_none() && facts.goods.is_none() {
        return Err(format!("there is no order {id}, and no goods are reserved for one").into());
    }
    let events = events(shop, id, &facts).await?;
    let letters = dead_letters::list(shop, None).await?.listed;
    let listed = contradictions::list(shop).await?.listed.into_iter();
    let own = id.to_string();
    let contradictions = facts.contradictions(shop.host.now()).into_iter();
    Ok(Report {
        order_id: id,
        messages: messages(shop, &facts, &events).await?,
        history: events.iter().filter_map(HistoryPart::of).collect(),
        dead_letters: letters
            .into_iter()
            .filter(|letter| letter.order_id.as_ref() == Some(&own))
            .collect(),
        contradictions: contradictions
            .map(|code| ContradictionPart {
                code,
                sentence: code.sentence(),
            })
            .collect(),
        contradicting_events: listed.filter(|entry| entry.order_id == id).collect(),
        waits: facts.wait(),
        now: shop.host.now(),
        order: facts.order.map(|order| OrderPart {
            status: text::code(&order.status),
            reason: order.status_reason,
            goods_sold: order.committed,
            total: order.total.to_string(),
            customer_id: order.user_id.to_string(),
            version: order.version,
            placed_at: order.placed_at,
            updated_at: order.updated_at,
        }),
        payment: facts.payment.map(|payment| PaymentPart {
            payment_id: payment.payment_id.to_string(),
            status: text::code(&payment.status),
            intent: payment.intent.map(|intent| text::code(&intent)),
            amount: payment.amount.to_string(),
            failure: payment.failure_reason,
            provider_reference: payment
                .provider_reference
                .map(|reference| text::shortened(&reference.0)),
            updated_at: payment.updated_at,
        }),
        goods: facts.goods.map(|goods| GoodsPart {
            status: text::code(&goods.status),
            held_until: goods.held_until,
            lines: goods
                .lines
                .iter()
                .map(|line| {
                    let name: String = line.name.chars().take(NAME_MAX).collect();
                    format!("{} × {name} ({})", line.quantity, line.product_id)
                })
                .collect(),
            updated_at: goods.updated_at,
        }),
    })
}

/// The messages about an order. A message has the id of the event that it is about.
async fn messages(
    shop: &Shop,
    facts: &Facts,
    events: &[Recorded],
) -> Result<Vec<MessagePart>, Error> {
    #[derive(Deserialize)]
    struct Message {
        status: String,
        title: Option<String>,
    }
    let Some(order) = &facts.order else {
        return Ok(Vec::new());
    };
    let table = shop.table("notifications")?;
    let mut messages = Vec::new();
    for event in events {
        let Ok(envelope) = event.item.envelope() else {
            continue;
        };
        if !ABOUT_MESSAGES.contains(&envelope.event_type.as_str()) {
            continue;
        }
        let (pk, sk) = (
            format!("USER#{}", order.user_id),
            format!("NOTIFICATION#{}", envelope.id),
        );
        let found: Option<Message> = table.get(Key::new(pk, sk)).await?;
        messages.push(MessagePart {
            about: envelope.event_type,
            status: found.as_ref().map_or_else(
                || "not composed".to_owned(),
                |message| message.status.clone(),
            ),
            title: found.and_then(|message| message.title),
        });
    }
    Ok(messages)
}

impl HistoryPart {
    fn of(recorded: &Recorded) -> Option<Self> {
        let envelope = recorded.item.envelope().ok()?;
        let since = recorded
            .item
            .unsent_since
            .filter(|_| recorded.item.unsent.is_some());
        Some(Self {
            at: envelope.time,
            service: recorded.service,
            event: envelope.event_type,
            actor: envelope.actor,
            unsent_since: since.and_then(|since| Timestamp::from_millisecond(since).ok()),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "order {}", self.order_id)?;
        self.write_state(f)?;
        writeln!(f, "\nhistory")?;
        for event in &self.history {
            let at = text::time(event.at);
            let unsent = event.unsent_since.map(|since| {
                let age = text::age(self.now, since);
                format!("  UNSENT for {age}")
            });
            writeln!(
                f,
                "  {at}  {:<28} by {}{}",
                event.event,
                event.actor,
                unsent.unwrap_or_default()
            )?;
        }
        if !self.dead_letters.is_empty() {
            writeln!(f, "\ndead letters")?;
            for letter in &self.dead_letters {
                writeln!(f, "  {}", letter.line(self.now))?;
            }
        }
        if !self.contradictions.is_empty() {
            writeln!(
                f,
                "\ncontradictions (normal for a moment, while events are under way)"
            )?;
            for contradiction in &self.contradictions {
                writeln!(f, "  {}", contradiction.sentence)?;
            }
        }
        if !self.contradicting_events.is_empty() {
            writeln!(f, "\nevents that contradict it (to be settled by a person)")?;
            for entry in &self.contradicting_events {
                entry.write(f, self.now)?;
            }
        }
        match &self.waits {
            Some(wait) => {
                let since = text::age(self.now, wait.since);
                writeln!(f, "\nwaits for {since} for {}", wait.what)
            }
            None => writeln!(f, "\nwaits for nothing"),
        }
    }
}

impl Report {
    fn write_state(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.order {
            None => writeln!(f, "  order     none was written")?,
            Some(order) => {
                let reason = order.reason.as_ref().map(|reason| format!(" ({reason})"));
                let sold = if order.goods_sold { ", goods sold" } else { "" };
                writeln!(
                    f,
                    "  order     {}{}{sold}, {}, version {}, placed {} ({} ago)\n  customer  {}",
                    order.status,
                    reason.unwrap_or_default(),
                    order.total,
                    order.version,
                    text::time(order.placed_at),
                    text::age(self.now, order.placed_at),
                    order.customer_id,
                )?;
            }
        }
        match &self.payment {
            None => writeln!(f, "  payment   none")?,
            Some(payment) => {
                let intent = payment.intent.as_ref();
                let reference = payment.provider_reference.as_ref();
                let failure = payment.failure.as_ref();
                let parts = [
                    intent.map(|intent| format!(", intends to {intent}")),
                    reference.map(|reference| format!(", at the provider {reference}")),
                    failure.map(|failure| format!(", because of {failure}")),
                ];
                let parts: String = parts.into_iter().flatten().collect();
                let at = text::time(payment.updated_at);
                writeln!(
                    f,
                    "  payment   {}, {}{parts}\n            {}, changed {at}",
                    payment.status, payment.amount, payment.payment_id
                )?;
            }
        }
        match &self.goods {
            None => writeln!(f, "  goods     none reserved")?,
            Some(goods) => {
                let (status, until) = (&goods.status, text::time(goods.held_until));
                writeln!(f, "  goods     {status}, held until {until}")?;
                for line in &goods.lines {
                    writeln!(f, "            {line}")?;
                }
            }
        }
        for message in &self.messages {
            writeln!(f, "  message   {}, about {}", message.status, message.about)?;
        }
        Ok(())
    }
}
