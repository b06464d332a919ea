//! Event sources of functions: queues, streams and schedules.

mod batch;
mod checkpoint;
mod queue;
mod retry;
mod schedule;
mod stream;

use std::{path::Path, sync::Arc};

use tokio::task::JoinHandle;

use crate::{
    cloud::{Cloud, StopSignal},
    functions::Functions,
    template::{Event, Template},
};
use checkpoint::Checkpoints;
use queue::QueueTrigger;
use stream::{Destination, StreamTrigger};

/// The running triggers.
pub(crate) struct Triggers {
    pub(crate) tasks: Vec<JoinHandle<()>>,
    checkpoints: Arc<Checkpoints>,
}

impl Triggers {
    /// No triggers; the checkpoints of an earlier run are kept.
    pub(crate) fn none(data: Option<&Path>) -> Self {
        Self {
            tasks: Vec::new(),
            checkpoints: Arc::new(Checkpoints::open(data)),
        }
    }

    /// Writes the final checkpoints, after all triggers have ended.
    pub(crate) fn finish(&self) {
        self.checkpoints.write();
    }
}

/// Starts every trigger of the template.
pub(crate) fn start(
    template: &Template,
    functions: &Functions,
    cloud: &Cloud,
    data: Option<&Path>,
    stop: &StopSignal,
) -> Triggers {
    let checkpoints = Arc::new(Checkpoints::open(data));
    let mut tasks = vec![checkpoints.write_periodically(stop.clone())];
    for function in functions.all() {
        for event in &function.spec.events {
            match event {
                Event::Queue(event) if event.enabled => {
                    let Some(queue) = template
                        .queues
                        .iter()
                        .find(|queue| queue.logical_id == event.queue)
                    else {
                        continue;
                    };
                    let trigger = QueueTrigger {
                        event: event.clone(),
                        queue: queue.clone(),
                        function: function.clone(),
                        queues: cloud.queues.clone(),
                    };
                    tasks.push(trigger.start(stop.clone()));
                }
                Event::Stream(event) if event.enabled => {
                    let Some(table) = template
                        .tables
                        .iter()
                        .find(|table| table.logical_id == event.table)
                    else {
                        continue;
                    };
                    let trigger = StreamTrigger {
                        destination: event
                            .on_failure
                            .as_deref()
                            .and_then(|target| destination(template, target)),
                        event: event.as_ref().clone(),
                        table: table.clone(),
                        function: function.clone(),
                        database: cloud.database.clone(),
                        queues: cloud.queues.clone(),
                        topics: cloud.topics.clone(),
                        checkpoints: checkpoints.clone(),
                    };
                    tasks.push(trigger.start(stop.clone()));
                }
                Event::Schedule(event) if event.enabled => {
                    tasks.push(schedule::start(
                        event.clone(),
                        function.clone(),
                        stop.clone(),
                    ));
                }
                _ => {}
            }
        }
    }
    Triggers { tasks, checkpoints }
}

fn destination(template: &Template, logical_id: &str) -> Option<Destination> {
    let queue = template
        .queues
        .iter()
        .find(|queue| queue.logical_id == logical_id);
    let topic = template
        .topics
        .iter()
        .find(|topic| topic.logical_id == logical_id);
    queue
        .map(|queue| Destination::Queue(queue.url()))
        .or_else(|| topic.map(|topic| Destination::Topic(topic.arn())))
}
