//! What a check finds.

use std::fmt;

use catalog::domain::Reservation;
use kernel::{OrderId, ProductId, SignedDuration, Timestamp};
use payments::domain::Payment;
use serde::{Deserialize, Serialize};

use super::{FINDINGS_MAX, Held, Position, pages::Row, position::Sums};
use crate::{
    contradictions::Listed,
    facts::{Contradiction, Wait},
    outbox::Unsent,
    text,
};

/// Something that contradicts itself, or has been waiting for too long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// A stable name of what is wrong.
    pub code: String,
    /// What it is about: `order <id>`, `product <id>`, a table.
    pub about: String,
    pub sentence: String,
}

impl Finding {
    fn new(code: &str, about: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            about: about.into(),
            sentence: sentence.into(),
        }
    }

    pub(super) fn contradiction(id: OrderId, contradiction: Contradiction) -> Self {
        let code = text::code(&contradiction);
        Self::new(&code, format!("order {id}"), contradiction.sentence())
    }

    pub(super) fn stuck(id: OrderId, wait: &Wait, now: Timestamp) -> Self {
        let since = text::age(now, wait.since);
        let sentence = format!("the order has been waiting for {since} for {}", wait.what);
        Self::new("order_stuck", format!("order {id}"), sentence)
    }

    pub(super) fn payment_without_order(payment: &Payment) -> Self {
        let status = text::code(&payment.status);
        Self::new(
            "payment_without_order",
            format!("payment {}", payment.payment_id),
            format!(
                "the payment is {status}, and no order {} has it",
                payment.order_id
            ),
        )
    }

    pub(super) fn sold_without_order(id: OrderId) -> Self {
        let sentence = "goods are sold to an order that does not exist";
        Self::new("sold_without_order", format!("order {id}"), sentence)
    }

    pub(super) fn held_too_long(reservation: &Reservation, now: Timestamp) -> Self {
        let since = text::age(now, reservation.held_until);
        Self::new(
            "held_too_long",
            format!("order {}", reservation.order_id),
            format!("goods are still held, {since} after their time was up"),
        )
    }

    pub(super) fn negative(row: &Row, name: &str) -> Self {
        let mut parts = row.pk.split('#').skip(1);
        let id = parts.next().unwrap_or_default();
        let shard = parts.next().map(|number| format!(" of its shard {number}"));
        let number = row.number(name).unwrap_or_default();
        Self::new(
            "negative_stock",
            format!("product {id}"),
            format!("{name}{} is {number}", shard.unwrap_or_default()),
        )
    }

    pub(super) fn held_differs(id: ProductId, counted: Held, reserved: Held) -> Self {
        let of_unverified = |held: Held| format!("{} ({} unverified)", held.all, held.unverified);
        let on_hand = match counted.all - reserved.all {
            0 => String::new(),
            more @ 1.. => format!(": what is on hand is {more} too high"),
            less => format!(": what is on hand is {} too low", -less),
        };
        Self::new(
            "held_differs",
            format!("product {id}"),
            format!(
                "it counts {} as held, its reservations hold {}{on_hand}",
                of_unverified(counted),
                of_unverified(reserved)
            ),
        )
    }

    pub(super) fn listed(entry: &Listed, now: Timestamp) -> Self {
        let (event, service) = (&entry.event_type, entry.service);
        let since = text::age(now, entry.recorded_at);
        Self::new(
            "contradiction_open",
            format!("order {}", entry.order_id),
            format!(
                "{event} contradicts {service}, listed for {since}: {}\n  {}",
                entry.reason, entry.key
            ),
        )
    }

    pub(super) fn unsent(service: &str, unsent: &Unsent, age: SignedDuration) -> Self {
        let age = text::duration(age);
        let events = match unsent.count {
            1 => "1 event is".to_owned(),
            count => format!("{count} events are"),
        };
        Self::new(
            "events_unsent",
            format!("table of {service}"),
            format!("{events} unsent, the oldest for {age}"),
        )
    }

    pub(super) fn money_differs(confirmed: &Sums, captured: &Sums) -> Self {
        Self::new(
            "money_differs",
            "the tables of orders and payments",
            format!(
                "confirmed orders come to {}, what was captured to {} (in minor units)",
                sums(confirmed),
                sums(captured)
            ),
        )
    }

    /// Without the error, which may quote what is personal.
    pub(super) fn unreadable(service: &str, row: &Row) -> Self {
        Self::unreadable_key(service, &format!("{} {}", row.pk, row.sk))
    }

    pub(super) fn unreadable_key(service: &str, key: &str) -> Self {
        Self::new(
            "unreadable",
            format!("table of {service}"),
            format!("{key} cannot be read by this version"),
        )
    }
}

fn sums(sums: &Sums) -> String {
    let each = sums.0.iter();
    let each: Vec<_> = each
        .map(|(currency, amount)| format!("{amount} {currency}"))
        .collect();
    if each.is_empty() {
        "nothing".to_owned()
    } else {
        each.join(", ")
    }
}

/// A check that has come to its end.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Outcome(Position);

impl Outcome {
    pub(super) const fn new(position: Position) -> Self {
        Self(position)
    }

    pub fn findings(&self) -> &[Finding] {
        &self.0.findings
    }

    pub const fn position(&self) -> &Position {
        &self.0
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = &self.0;
        writeln!(
            f,
            "{} orders, {} payments, {} products, {} reservations",
            position.orders, position.payments, position.products, position.reservations
        )?;
        let units = position.units;
        writeln!(
            f,
            "goods: {} available, {} held, {} sold\n\
             on hand: {}, of which {} are counted as held\n\
             money of orders over half an hour old: {} confirmed, {} captured",
            units.available,
            units.held,
            units.sold,
            units.on_hand,
            units.on_hand - units.available,
            sums(&position.confirmed),
            sums(&position.captured)
        )?;
        if position.not_compared > 0 {
            writeln!(
                f,
                "products that changed whenever they were compared with their reservations: {}; \
                 check again when they sell less",
                position.not_compared
            )?;
        }
        for finding in &position.findings {
            writeln!(
                f,
                "\n{} ({})\n  {}",
                finding.about, finding.code, finding.sentence
            )?;
        }
        match position.findings.len() {
            0 => writeln!(f, "\nnothing contradicts itself"),
            FINDINGS_MAX.. => writeln!(f, "\n{FINDINGS_MAX} findings, and perhaps more"),
            count => writeln!(f, "\n{count} findings"),
        }
    }
}
