//! Every event has reached everybody who wants it, and everybody got one mail about it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
};

use local::template::Event;
use serde_json::Value;

use super::state::{items, text};
use crate::world::World;

/// The most violations of one kind that are listed.
const LISTED_MAX: usize = 3;

/// Events that a subscriber never handled, although it is not dead: what is wrong.
pub(super) fn unheard(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    for (table, topic) in outboxes(world) {
        for item in items(world, &table) {
            let body = text(&item, "event");
            if body.is_empty() {
                continue;
            }
            let id = event_id(body);
            for queue in world.queues.subscribers(&topic, body) {
                if world.is_consumed(&queue) && !world.queues.was_handled(&queue, &id) {
                    let event: Value = serde_json::from_str(body).unwrap_or_default();
                    let (kind, about) = (text(&event, "type"), text(&event, "subject"));
                    wrong.push(format!("{kind} of {about} never reached {queue}"));
                }
            }
        }
    }
    let more = wrong.len().saturating_sub(LISTED_MAX);
    wrong.truncate(LISTED_MAX);
    if more > 0 {
        wrong.push(format!("{more} more events never reached a subscriber"));
    }
    wrong
}

/// The events of which there is one of a kind about one thing.
const ONCE: [&str; 5] = [
    "order.",
    "payment.",
    "stock.commit",
    "reservation.",
    "notification.queued",
];
/// A question, which is asked as often as it takes.
const REPEATABLE: &str = "payment.delayed";

/// What happens once has been announced once: two events that say the same about the same
/// have been written by two that did not know of each other.
pub(super) fn repeated(world: &World) -> Vec<String> {
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for (table, _) in outboxes(world) {
        for item in items(world, &table) {
            let event: Value = serde_json::from_str(text(&item, "event")).unwrap_or_default();
            let (kind, about) = (text(&event, "type"), text(&event, "subject"));
            let is_unique =
                kind != REPEATABLE && ONCE.iter().any(|prefix| kind.starts_with(prefix));
            if is_unique && !seen.insert((kind.to_owned(), about.to_owned())) {
                wrong.push(format!("{kind} of {about} happened twice"));
            }
        }
    }
    wrong
}

/// The tables that have events, by logical id, and the topics that these go to.
fn outboxes(world: &World) -> Vec<(String, String)> {
    let functions = world.template.functions.iter();
    let outboxes = functions.filter_map(|function| {
        let topic = function.environment.get("TOPIC_ARN")?;
        let mut events = function.events.iter();
        let table = events.find_map(|event| match event {
            Event::Stream(stream) => Some(stream.table.clone()),
            _ => None,
        })?;
        Some((table, topic.clone()))
    });
    outboxes.collect()
}

/// The id of an event.
pub fn event_id(body: &str) -> String {
    let event: Value = serde_json::from_str(body).unwrap_or_default();
    text(&event, "id").to_owned()
}

/// No mail came again without a reason, and none is missing that is said to have been sent.
pub(super) fn mails(world: &World) -> Vec<String> {
    let mails = world.mails.lock().unwrap_or_else(PoisonError::into_inner);
    let mut by_content: BTreeMap<_, Vec<bool>> = BTreeMap::new();
    for mail in mails.iter() {
        let content = (&mail.to, &mail.subject, &mail.about);
        by_content.entry(content).or_default().push(mail.excused);
    }
    let repeated = by_content.iter().filter(|(_, excused)| {
        let (_, before) = excused.split_last().unwrap_or((&false, &[]));
        before.contains(&false)
    });
    let mut wrong: Vec<String> = repeated
        .map(|((to, subject, _), excused)| {
            format!("\"{subject}\" came {} times to {to}", excused.len())
        })
        .collect();
    let notifications = items(world, "NotificationsTable");
    let sent = notifications
        .iter()
        .filter(|item| text(item, "sk").starts_with("NOTIFICATION#"))
        .filter(|item| text(item, "status") == "sent");
    let (sent, mails) = (sent.count(), by_content.len());
    if mails < sent {
        wrong.push(format!(
            "{sent} mails are said to be sent, and {mails} were"
        ));
    }
    wrong
}

/// Every order that has ended has told its customer so, once.
pub(super) fn told(world: &World) -> Vec<String> {
    let notifications = items(world, "NotificationsTable");
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for item in &notifications {
        let (sk, status) = (text(item, "sk"), text(item, "status"));
        if !sk.starts_with("NOTIFICATION#") {
            continue;
        }
        if !seen.insert((text(item, "pk"), sk)) {
            wrong.push(format!("notification {sk} exists twice"));
        }
        if matches!(status, "queued" | "sending") {
            wrong.push(format!("notification {sk} is still {status}"));
        }
    }
    wrong
}
