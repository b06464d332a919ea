//! Queues, and the topics that fill them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use local::template::{Pattern, Queue, Template};
use serde_json::Value;
use tokio::{sync::Notify, time::Instant};

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
}

struct State {
    spec: Queue,
    receives_max: u32,
    messages: Vec<Message>,
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
                messages: Vec::new(),
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

    /// Puts a message into a queue.
    pub fn put(&self, queue: &str, body: String) {
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
                visible_at: Instant::now(),
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

    /// Hides a message that has been received for so long from now, in the queue
    /// with this URL. The receipt handle is the message's id.
    pub fn hide(&self, url: &str, receipt: &str, time: Duration) {
        let name = url.rsplit('/').next().unwrap_or_default();
        for queue in self.queues.keys() {
            self.with(queue, |state| {
                let messages = state.messages.iter_mut();
                let of_queue = messages.filter(|_| state.spec.name == name);
                for message in of_queue.filter(|message| message.id.to_string() == receipt) {
                    message.visible_at = Instant::now() + time;
                }
                // Whoever waits for the next message may wait for less or for more.
                state.arrived.notify_one();
            });
        }
    }

    /// Removes messages that have been processed.
    pub fn delete(&self, queue: &str, ids: &BTreeSet<u64>) {
        self.with(queue, |state| {
            state.messages.retain(|message| !ids.contains(&message.id));
        });
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
