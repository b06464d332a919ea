//! Messages that consumers gave up.

use std::{collections::BTreeMap, fmt};

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message, MessageSystemAttributeName,
    QueueAttributeName,
};
use kernel::Timestamp;
use runtime::Error;
use serde::Serialize;
use serde_json::Value;

use crate::{Shop, shop::Queue, text};

/// Messages of one queue that are looked at: more do not fit on a screen, and while
/// they are looked at nobody else can receive them.
const LISTED_MAX: usize = 200;
/// Messages that one run sends back. Each is sent once, so a message that fails
/// again at once is not sent again for ever.
pub const REDRIVEN_MAX: usize = 1_000;
/// Messages that one call returns (a limit of SQS).
const RECEIVED_MAX: i32 = 10;
/// How long a call waits while fewer messages have come than there are: one that does
/// not wait asks some of the servers of SQS only, and may find none.
const WAIT_SECONDS: i32 = 1;
/// How long a listed message is invisible to others, if this process dies before
/// it gives it back.
const LOOK_SECONDS: i32 = 20;
/// How long a message is invisible while it is sent back.
const REDRIVE_SECONDS: i32 = 60;

/// A message in a dead-letter queue.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The consumer that gave it up.
    pub queue: String,
    pub message_id: String,
    pub event_type: Option<String>,
    pub order_id: Option<String>,
    pub sent_at: Option<Timestamp>,
    /// With those who look at it here; whether with its consumer's attempts, SQS does
    /// not say.
    pub received: u32,
    /// What SNS says of a message that it could not deliver; a consumer's reason is in
    /// its log.
    pub reason: Option<String>,
}

/// The dead letters of some queues.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetters {
    pub listed: Vec<DeadLetter>,
    /// How many there are, about, by consumer.
    pub counts: BTreeMap<String, usize>,
    #[serde(skip)]
    now: Timestamp,
}

/// What was sent back.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Redriven {
    /// By consumer.
    pub moved: BTreeMap<String, usize>,
}

/// Lists the dead letters of one consumer, or of all of them, without removing any.
pub async fn list(shop: &Shop, consumer: Option<&str>) -> Result<DeadLetters, Error> {
    let mut listed = Vec::new();
    let mut counts = BTreeMap::new();
    for (name, queue) in wanted(shop, consumer)? {
        let count = count(shop, queue).await?;
        listed.extend(look(shop, &name, queue, count).await?);
        counts.insert(name, count);
    }
    Ok(DeadLetters {
        listed,
        counts,
        now: shop.host.now(),
    })
}

/// Sends dead letters back to their consumers: all, or one by its id. A message is
/// sent before it is deleted, so at worst the consumer gets it twice. It is sent as a
/// new one, so the consumer has all its attempts again.
pub async fn redrive(
    shop: &Shop,
    consumer: Option<&str>,
    message_id: Option<&str>,
) -> Result<Redriven, Error> {
    let mut moved = BTreeMap::new();
    for (name, queue) in wanted(shop, consumer)? {
        moved.insert(name, redrive_queue(shop, queue, message_id).await?);
    }
    Ok(Redriven { moved })
}

fn wanted<'s>(shop: &'s Shop, consumer: Option<&str>) -> Result<Vec<(String, &'s Queue)>, Error> {
    Ok(match consumer {
        Some(name) => vec![(name.to_owned(), shop.queue(name)?)],
        None => {
            let queues = shop.queues.iter();
            queues.map(|(name, queue)| (name.clone(), queue)).collect()
        }
    })
}

/// How many there are, about, with those that somebody is looking at.
async fn count(shop: &Shop, queue: &Queue) -> Result<usize, Error> {
    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    ];
    let request = shop
        .sqs
        .get_queue_attributes()
        .queue_url(&queue.dead_letter_url)
        .set_attribute_names(Some(names.to_vec()));
    let attributes = request.send().await?.attributes.unwrap_or_default();
    let counts = names.iter().filter_map(|name| attributes.get(name));
    Ok(counts.filter_map(|count| count.parse::<usize>().ok()).sum())
}

async fn receive(
    shop: &Shop,
    queue: &Queue,
    seconds: i32,
    wait: bool,
) -> Result<Vec<Message>, Error> {
    let request = shop
        .sqs
        .receive_message()
        .queue_url(&queue.dead_letter_url)
        .max_number_of_messages(RECEIVED_MAX)
        .visibility_timeout(seconds)
        .wait_time_seconds(if wait { WAIT_SECONDS } else { 0 })
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .message_attribute_names("All");
    Ok(request.send().await?.messages.unwrap_or_default())
}

async fn look(
    shop: &Shop,
    name: &str,
    queue: &Queue,
    count: usize,
) -> Result<Vec<DeadLetter>, Error> {
    let (mut letters, mut failure) = (Vec::new(), None);
    let mut receipts = Vec::new();
    while letters.len() < LISTED_MAX {
        let wait = letters.len() < count;
        match receive(shop, queue, LOOK_SECONDS, wait).await {
            Ok(messages) if messages.is_empty() => break,
            Ok(messages) => {
                letters.extend(messages.iter().map(|message| letter(name, message)));
                let handles = messages.into_iter().map(|message| message.receipt_handle);
                receipts.extend(handles.flatten());
            }
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    give_back(shop, queue, &receipts).await;
    match failure {
        Some(error) => Err(error),
        None => Ok(letters),
    }
}

/// Makes messages visible again. If that fails, they become so by themselves.
async fn give_back(shop: &Shop, queue: &Queue, receipts: &[String]) {
    for chunk in receipts.chunks(10) {
        let entries = chunk.iter().enumerate().filter_map(|(index, receipt)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(receipt)
                .visibility_timeout(0)
                .build()
                .ok()
        });
        let request = shop
            .sqs
            .change_message_visibility_batch()
            .queue_url(&queue.dead_letter_url)
            .set_entries(Some(entries.collect()));
        let _ = request.send().await;
    }
}

async fn redrive_queue(
    shop: &Shop,
    queue: &Queue,
    message_id: Option<&str>,
) -> Result<usize, Error> {
    // Those that arrive meanwhile are left for the next run.
    let most = count(shop, queue).await?.min(REDRIVEN_MAX);
    let (mut moved, mut passed) = (0, Vec::new());
    while moved + passed.len() < most {
        let messages = receive(shop, queue, REDRIVE_SECONDS, true).await?;
        if messages.is_empty() {
            break;
        }
        for message in messages {
            let (Some(body), Some(receipt)) = (message.body, message.receipt_handle) else {
                continue;
            };
            if message_id.is_some() && message.message_id.as_deref() != message_id {
                passed.push(receipt);
                continue;
            }
            let sent = shop.sqs.send_message().queue_url(&queue.url);
            sent.message_body(body).send().await?;
            let deleted = shop
                .sqs
                .delete_message()
                .queue_url(&queue.dead_letter_url)
                .receipt_handle(receipt);
            deleted.send().await?;
            moved += 1;
        }
    }
    give_back(shop, queue, &passed).await;
    Ok(moved)
}

fn letter(queue: &str, message: &Message) -> DeadLetter {
    let body = message.body.as_deref().unwrap_or_default();
    let event: Value = serde_json::from_str(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let attributes = message.attributes.as_ref();
    let attribute = |name: MessageSystemAttributeName| {
        let found = attributes.and_then(|all| all.get(&name))?;
        found.parse::<i64>().ok()
    };
    let sent_at = attribute(MessageSystemAttributeName::SentTimestamp)
        .and_then(|at| Timestamp::from_millisecond(at).ok());
    let received = attribute(MessageSystemAttributeName::ApproximateReceiveCount);
    let error = message
        .message_attributes
        .as_ref()
        .and_then(|all| all.get("ErrorMessage")?.string_value.clone());
    DeadLetter {
        queue: queue.to_owned(),
        message_id: message.message_id.clone().unwrap_or_default(),
        event_type: text(&event["type"]),
        order_id: text(&event["data"]["orderId"]),
        sent_at,
        received: received
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or_default(),
        reason: error,
    }
}

impl DeadLetter {
    pub(crate) fn line(&self, now: Timestamp) -> String {
        let age = self.sent_at.map(|at| text::age(now, at));
        let reason = self.reason.as_ref().map(|reason| format!("  {reason}"));
        format!(
            "{:<22} {:<24} {:<36} {:>8}  {}x  {}{}",
            self.queue,
            self.event_type.as_deref().unwrap_or("not an event"),
            self.order_id.as_deref().unwrap_or("-"),
            age.unwrap_or_else(|| "?".to_owned()),
            self.received,
            self.message_id,
            reason.unwrap_or_default(),
        )
    }
}

impl fmt::Display for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.counts.values().all(|count| *count == 0) && self.listed.is_empty() {
            return writeln!(f, "no dead letters");
        }
        for letter in &self.listed {
            writeln!(f, "{}", letter.line(self.now))?;
        }
        for (queue, count) in self.counts.iter().filter(|(_, count)| **count > 0) {
            writeln!(f, "{queue}: about {count}")?;
        }
        writeln!(
            f,
            "\nWhy a consumer gave up is in its log at that time. When the cause is fixed:\n  \
             emporium dead-letters redrive QUEUE"
        )
    }
}

impl fmt::Display for Redriven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (queue, moved) in self.moved.iter().filter(|(_, moved)| **moved > 0) {
            writeln!(f, "{queue}: {moved} sent back")?;
        }
        if self.moved.values().all(|moved| *moved == 0) {
            writeln!(f, "nothing to send back")?;
        }
        if self.moved.values().any(|moved| *moved >= REDRIVEN_MAX) {
            writeln!(f, "there may be more: run it again")?;
        }
        Ok(())
    }
}
