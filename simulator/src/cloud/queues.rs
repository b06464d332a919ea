//! Queues, and the topics that fill them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use local::template::{Pattern, Queue, Template};
use serde_json::Value;
use tokio::{sync::Notify, time::Instant};

use crate::check::event_id;

/// A message in a queue.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id.
    pub id: u64,
    /// Its body.
    pub body: String,
    /// How often it has been received.
    pub receives: u32,
    visible_at: Instant,
    sent_at: Instant,
}

/// How long a queue keeps messages unless it says otherwise: four days.
const RETENTION_DEFAULT_SECONDS: u64 = 4 * 24 * 3600;

struct State {
    spec: Queue,
    receives_max: u32,
    retention: Duration,
    messages: Vec<Message>,
    /// The events whose messages have been processed.
    handled: BTreeSet<String>,
    /// How many messages were deleted because nobody wanted them for too long.
    expired: usize,
    arrived: std::sync::Arc<Notify>,
}

/// A queue's subscription to a topic.
struct Subscription {
    queue: String,
    filter: Option<Pattern>,
}

/// The queues of the template, by logical id, and the subscriptions by a topic's ARN.
pub struct Queues {
    queues: BTreeMap<String, Mutex<State>>,
    subscriptions: BTreeMap<String, Vec<Subscription>>,
    next: Mutex<u64>,
}

impl Queues {
    /// The queues of a template, empty.
    ///
    /// # Errors
    /// The reason when a filter policy is not understood.
    pub fn create(template: &Template) -> Result<Self, String> {
        let queues = template.queues.iter().map(|spec| {
            let redrive = spec.attributes.get("RedrivePolicy");
            let redrive: Value = redrive
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default();
            let receives_max = redrive["maxReceiveCount"].as_u64().or_else(|| {
                let text = redrive["maxReceiveCount"].as_str()?;
                text.parse().ok()
            });
            let state = State {
                spec: spec.clone(),
                receives_max: receives_max
                    .and_then(|count| u32::try_from(count).ok())
                    .unwrap_or(u32::MAX),
                retention: Duration::from_secs(
                    spec.attributes
                        .get("MessageRetentionPeriod")
                        .and_then(|seconds| seconds.parse().ok())
                        .unwrap_or(RETENTION_DEFAULT_SECONDS),
                ),
                messages: Vec::new(),
                handled: BTreeSet::new(),
                expired: 0,
                arrived: std::sync::Arc::default(),
            };
            (spec.logical_id.clone(), Mutex::new(state))
        });
        let mut subscriptions: BTreeMap<String, Vec<Subscription>> = BTreeMap::new();
        for one in &template.subscriptions {
            let topic = template
                .topics
                .iter()
                .find(|topic| topic.logical_id == one.topic);
            let arn = topic.map(local::template::Topic::arn).unwrap_or_default();
            let filter = one.attributes.get("FilterPolicy");
            let filter = filter.map(|text| Pattern::parse(text)).transpose()?;
            subscriptions.entry(arn).or_default().push(Subscription {
                queue: one.queue.clone(),
                filter,
            });
        }
        Ok(Self {
            queues: queues.collect(),
            subscriptions,
            next: Mutex::new(0),
        })
    }

    fn with<T>(&self, queue: &str, act: impl FnOnce(&mut State) -> T) -> Option<T> {
        let state = self.queues.get(queue)?;
        Some(act(&mut state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)))
    }

    /// The queues that a message on a topic goes to.
    pub fn subscribers(&self, topic: &str, message: &str) -> Vec<String> {
        let message: Value = serde_json::from_str(message).unwrap_or_default();
        let subscribers = self.subscriptions.get(topic).into_iter().flatten();
        subscribers
            .filter(|one| {
                one.filter
                    .as_ref()
                    .is_none_or(|filter| filter.matches(&message))
            })
            .map(|one| one.queue.clone())
            .collect()
    }

    /// The logical id of the queue with a URL, as functions know it.
    pub fn at(&self, url: &str) -> Option<String> {
        let name = url.rsplit('/').next();
        let mut queues = self.queues.keys();
        let is_it = |id: &&String| self.with(id, |state| Some(&*state.spec.name) == name);
        let found = queues.find(|id| is_it(id) == Some(true));
        found.cloned()
    }

    /// Puts a message into a queue.
    pub fn put(&self, queue: &str, body: String) {
        self.put_later(queue, body, Duration::ZERO);
    }

    /// Puts a message into a queue that cannot be received before a while.
    pub fn put_later(&self, queue: &str, body: String, delay: Duration) {
        let id = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            *next += 1;
            *next
        };
        self.with(queue, |state| {
            state.messages.push(Message {
                id,
                body,
                receives: 0,
                visible_at: Instant::now() + delay,
                sent_at: Instant::now(),
            });
            state.arrived.notify_one();
        });
    }

    /// Waits for messages and receives some, chosen by `choose` among so many.
    pub async fn receive(
        &self,
        queue: &str,
        most: usize,
        choose: impl Fn(usize) -> usize,
    ) -> Vec<Message> {
        loop {
            let now = Instant::now();
            let found = self.with(queue, |state| state.take(most, now, &choose));
            let Some((messages, dead, arrived, next)) = found else {
                return std::future::pending().await;
            };
            for (queue, body) in dead {
                self.put(&queue, body);
            }
            if !messages.is_empty() {
                return messages;
            }
            let next = next.unwrap_or(now + Duration::from_secs(3600));
            tokio::select! {
                biased;
                () = arrived.notified() => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// Removes messages that have been processed.
    pub fn delete(&self, queue: &str, ids: &BTreeSet<u64>) {
        self.with(queue, |state| {
            let done = state.messages.iter().filter(|one| ids.contains(&one.id));
            let events: Vec<String> = done.map(|one| event_id(&one.body)).collect();
            state.handled.extend(events);
            state.messages.retain(|message| !ids.contains(&message.id));
        });
    }

    /// Whether a message with an event has been processed.
    pub fn was_handled(&self, queue: &str, event: &str) -> bool {
        self.with(queue, |state| state.handled.contains(event)) == Some(true)
    }

    /// Hides a received message for so long from now on.
    pub fn hide(&self, queue: &str, id: u64, visibility: Duration) {
        self.with(queue, |state| {
            let message = state.messages.iter_mut().find(|message| message.id == id);
            if let Some(message) = message {
                message.visible_at = Instant::now() + visibility;
            }
            state.arrived.notify_one();
        });
    }

    /// How many messages each queue has deleted because they had grown too old.
    pub fn expired(&self) -> BTreeMap<String, usize> {
        let expired = self.queues.keys().map(|name| {
            let expired = self.with(name, |state| state.expired).unwrap_or_default();
            (name.clone(), expired)
        });
        expired.filter(|(_, expired)| *expired > 0).collect()
    }

    /// Whether a queue is where messages end that nobody could process.
    pub fn is_dead_letter_queue(&self, queue: &str) -> bool {
        self.queues.keys().any(|name| {
            let redrive = self.with(name, |state| state.spec.dead_letter_queue.clone());
            redrive.flatten().as_deref() == Some(queue)
        })
    }

    /// How many messages are in each queue that has any, by its logical id.
    pub fn lengths(&self) -> BTreeMap<String, usize> {
        let lengths = self.queues.keys().map(|name| {
            let length = self.with(name, |state| state.messages.len());
            (name.clone(), length.unwrap_or_default())
        });
        lengths.filter(|(_, length)| *length > 0).collect()
    }

    /// The bodies of the messages in a queue.
    pub fn bodies(&self, queue: &str) -> Vec<String> {
        let bodies = self.with(queue, |state| {
            let bodies = state.messages.iter().map(|message| message.body.clone());
            bodies.collect()
        });
        bodies.unwrap_or_default()
    }
}

/// Messages to deliver, those that go to another queue, who tells of new ones, and when
/// the next becomes visible.
type Taken = (
    Vec<Message>,
    Vec<(String, String)>,
    std::sync::Arc<Notify>,
    Option<Instant>,
);

impl State {
    fn take(&mut self, most: usize, now: Instant, choose: &impl Fn(usize) -> usize) -> Taken {
        let mut dead = Vec::new();
        let (before, retention) = (self.messages.len(), self.retention);
        self.messages
            .retain(|message| now.duration_since(message.sent_at) < retention);
        self.expired += before - self.messages.len();
        if let Some(queue) = self.spec.dead_letter_queue.clone() {
            let receives_max = self.receives_max;
            self.messages.retain(|message| {
                let is_dead = message.visible_at <= now && message.receives >= receives_max;
                if is_dead {
                    dead.push((queue.clone(), message.body.clone()));
                }
                !is_dead
            });
        }
        let mut messages = Vec::new();
        while messages.len() < most {
            let visible: Vec<usize> = (0..self.messages.len())
                .filter(|index| self.messages[*index].visible_at <= now)
                .collect();
            if visible.is_empty() {
                break;
            }
            let message = &mut self.messages[visible[choose(visible.len())]];
            message.receives += 1;
            message.visible_at = now + self.spec.visibility;
            messages.push(message.clone());
        }
        let next = self.messages.iter().map(|message| message.visible_at).min();
        (messages, dead, self.arrived.clone(), next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VISIBILITY: Duration = Duration::from_secs(60);

    fn queues() -> Queues {
        let queue = |id: &str, dead: Option<&str>| Queue {
            logical_id: id.to_owned(),
            line: 0,
            name: id.to_owned(),
            attributes: BTreeMap::from([(
                "RedrivePolicy".into(),
                r#"{"maxReceiveCount":2}"#.into(),
            )]),
            visibility: VISIBILITY,
            dead_letter_queue: dead.map(str::to_owned),
        };
        let mut template = Template::default();
        let both = [queue("Work", Some("Dead")), queue("Dead", None)];
        template.queues.extend(both);
        Queues::create(&template).unwrap()
    }

    async fn receive(queues: &Queues) -> Message {
        queues.receive("Work", 1, |_| 0).await.remove(0)
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_comes_again_until_it_is_dead() {
        let queues = queues();
        let begun = Instant::now();
        queues.put_later("Work", "1".into(), Duration::from_secs(5));
        assert_eq!(receive(&queues).await.receives, 1);
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
        let again = receive(&queues).await;
        assert_eq!((again.receives, begun.elapsed().as_secs()), (2, 65));
        queues.hide("Work", again.id, Duration::from_secs(600));
        let third = tokio::time::timeout(Duration::from_secs(700), receive(&queues)).await;
        assert!(third.is_err(), "received more often than allowed");
        assert_eq!(queues.bodies("Dead"), ["1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_deletes_what_it_has_kept_for_four_days() {
        let queues = queues();
        queues.put_later(
            "Work",
            "1".into(),
            Duration::from_secs(RETENTION_DEFAULT_SECONDS + 1),
        );
        let received =
            tokio::time::timeout(Duration::from_secs(5 * 24 * 3600), receive(&queues)).await;
        assert!(received.is_err());
        assert_eq!(queues.expired().get("Work"), Some(&1));
    }
}
