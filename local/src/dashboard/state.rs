//! The state of the shop, as the dashboard polls it.

use serde::Serialize;

use crate::{
    cloud::{Mail, Published, QueueDepth},
    functions::Snapshot,
    services::Services,
    template::{Api, Event, Function, Queue, Template},
};

/// How many emails the dashboard shows.
const MAILS_SHOWN: usize = 50;

/// Everything that the dashboard shows.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    url: String,
    kept_in: Option<String>,
    functions: Vec<FunctionState>,
    queues: Vec<QueueState>,
    undelivered: u64,
    events: Vec<Published>,
    mails: Vec<Mail>,
    accepted: Vec<AcceptedState>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionState {
    name: String,
    triggers: Vec<String>,
    memory_mb: u32,
    timeout_seconds: u64,
    #[serde(flatten)]
    stats: Snapshot,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct QueueState {
    name: String,
    logical_id: String,
    dead_letters: bool,
    #[serde(flatten)]
    depth: QueueDepth,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AcceptedState {
    resource: String,
    reason: &'static str,
}

/// The current state.
pub(crate) async fn of(services: &Services) -> State {
    let mut functions: Vec<FunctionState> = services
        .functions
        .all()
        .map(|function| FunctionState {
            name: function.spec.code_name.clone(),
            triggers: triggers(&function.spec, services.template.api.as_ref()),
            memory_mb: function.spec.memory_mb,
            timeout_seconds: function.spec.timeout.as_secs(),
            stats: function.stats.snapshot(),
        })
        .collect();
    functions.sort_by(|one, other| one.name.cmp(&other.name));
    let template = &services.template;
    let mut queues = Vec::with_capacity(template.queues.len());
    for queue in &template.queues {
        queues.push(QueueState {
            name: queue.name.clone(),
            logical_id: queue.logical_id.clone(),
            dead_letters: is_dead_letter_queue(template, queue),
            depth: services
                .cloud
                .queues
                .depth(&queue.url())
                .await
                .unwrap_or_default(),
        });
    }
    let mut mails = services.cloud.mailbox.mails(None);
    mails.truncate(MAILS_SHOWN);
    State {
        url: services.url.clone(),
        kept_in: services
            .data
            .as_ref()
            .map(|data| data.display().to_string()),
        functions,
        queues,
        undelivered: services.cloud.topics.undelivered(),
        events: services.cloud.topics.latest(),
        mails,
        accepted: template
            .accepted
            .iter()
            .map(|(resource, reason)| AcceptedState {
                resource: resource.clone(),
                reason,
            })
            .collect(),
    }
}

/// Whether a queue or a subscription of the template uses this queue for
/// messages that it cannot deliver.
pub(super) fn is_dead_letter_queue(template: &Template, queue: &Queue) -> bool {
    let is_target = |target: &Option<String>| target.as_deref() == Some(queue.logical_id.as_str());
    let mut queues = template.queues.iter();
    let mut subscriptions = template.subscriptions.iter();
    queues.any(|other| is_target(&other.dead_letter_queue))
        || subscriptions.any(|other| is_target(&other.dead_letter_queue))
}

fn triggers(function: &Function, api: Option<&Api>) -> Vec<String> {
    let named = function.events.iter().map(|event| match event {
        Event::Http(route) => route.key(),
        Event::Queue(event) => format!("queue {}", event.queue),
        Event::Stream(event) => format!("stream {}", event.table),
        Event::Schedule(event) => match event.every.as_secs() {
            seconds if seconds % 60 == 0 => format!("every {} min", seconds / 60),
            seconds => format!("every {seconds} s"),
        },
    });
    let mut triggers: Vec<String> = named.collect();
    if api.is_some_and(|api| {
        api.authorizers
            .values()
            .any(|authorizer| *authorizer == function.logical_id)
    }) {
        triggers.push("authorizer".to_owned());
    }
    if triggers.is_empty() {
        triggers.push("invoked by functions".to_owned());
    }
    triggers
}
