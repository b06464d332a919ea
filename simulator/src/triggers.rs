//! What makes functions run: queues, streams and schedules.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use local::template::{Event, QueueEvent, ScheduleEvent, StreamEvent};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{cloud::Message, world::World};

/// Batches of a queue at once, unless the template says otherwise.
const CONCURRENCY_DEFAULT: usize = 5;
/// The wait before a batch of a stream is tried again; it doubles.
const BACK_OFF: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// Starts the triggers of the functions that are simulated.
pub fn start(world: &Arc<World>, simulated: impl Fn(&str) -> bool) {
    for function in &world.template.functions {
        if !simulated(&function.code_name) {
            continue;
        }
        for event in &function.events {
            let (world, name) = (world.clone(), function.code_name.clone());
            match event.clone() {
                Event::Http(_) => {}
                Event::Queue(event) => drop(tokio::spawn(queue(world, name, event))),
                Event::Stream(event) => drop(tokio::spawn(stream(world, name, *event))),
                Event::Schedule(_) if !world.sabotage.runs(&name) => {}
                Event::Schedule(event) => drop(tokio::spawn(schedule(world, name, event))),
            }
        }
    }
}

async fn queue(world: Arc<World>, function: String, event: QueueEvent) {
    let permits = event.concurrency.unwrap_or(CONCURRENCY_DEFAULT);
    let permits = Arc::new(Semaphore::new(permits));
    let event = Arc::new(event);
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else {
            return;
        };
        let choose = |length| world.order.index(length);
        let messages = world
            .queues
            .receive(&event.queue, event.batch_size, choose)
            .await;
        let (world, function, event) = (world.clone(), function.clone(), event.clone());
        tokio::spawn(async move {
            deliver(&world, &function, &event, messages).await;
            drop(permit);
        });
    }
}

async fn deliver(world: &Arc<World>, function: &str, event: &QueueEvent, messages: Vec<Message>) {
    let records: Vec<Value> = messages
        .iter()
        .map(|message| {
            json!({
                "messageId": message.id.to_string(), "receiptHandle": message.id.to_string(),
                "body": message.body, "messageAttributes": {}, "eventSource": "aws:sqs",
                "attributes": {"ApproximateReceiveCount": message.receives.to_string()},
                "eventSourceARN": format!("arn:aws:sqs:us-east-1:000000000000:{}", event.queue),
                "awsRegion": "us-east-1",
            })
        })
        .collect();
    let payload = json!({ "Records": records }).to_string();
    let Ok(reply) = world.invoke(function, payload).await else {
        return;
    };
    let failed = failed_items(&reply);
    let done: BTreeSet<u64> = messages
        .iter()
        .map(|message| message.id)
        .filter(|id| !failed.contains(&id.to_string()))
        .collect();
    world.queues.delete(&event.queue, &done);
}

fn failed_items(reply: &str) -> BTreeSet<String> {
    let reply: Value = serde_json::from_str(reply).unwrap_or_default();
    let failures = reply["batchItemFailures"].as_array().into_iter().flatten();
    let items = failures.filter_map(|failure| failure["itemIdentifier"].as_str());
    items.map(str::to_owned).collect()
}

async fn stream(world: Arc<World>, function: String, event: StreamEvent) {
    let tables = &world.template.tables;
    let Some(table) = tables.iter().find(|table| table.logical_id == event.table) else {
        return;
    };
    let arn = format!(
        "arn:aws:dynamodb:us-east-1:000000000000:table/{}/stream/2026-01-01T00:00:00.000",
        table.name
    );
    let mut changes = world.database.changes();
    let Ok(mut position) = world.database.stream(&arn, &table.name) else {
        return;
    };
    loop {
        changes.mark_unchanged();
        let Ok((records, next)) = world.database.records(&position) else {
            return;
        };
        position = next;
        if records.is_empty() {
            if changes.changed().await.is_err() {
                return;
            }
            continue;
        }
        let wanted: Vec<Value> = records
            .into_iter()
            .filter(|record| {
                event.filters.is_empty()
                    || event.filters.iter().any(|filter| filter.matches(record))
            })
            .collect();
        tokio::time::sleep(world.faults.transit()).await;
        for batch in wanted.chunks(event.batch_size) {
            relay(&world, &function, &event, batch).await;
        }
    }
}

/// Delivers a batch until it has succeeded or is given up.
async fn relay(world: &Arc<World>, function: &str, event: &StreamEvent, batch: &[Value]) {
    if world.faults.gives_up() {
        world.tell(format_args!("{function}: {} records given up", batch.len()));
        return;
    }
    let mut batch = batch.to_vec();
    for attempt in 0..=event.retries_max.unwrap_or(u32::MAX) {
        let payload = json!({ "Records": batch }).to_string();
        if let Ok(reply) = world.invoke(function, payload).await {
            let failed = failed_items(&reply);
            let first = batch.iter().position(|record| {
                let number = record["dynamodb"]["SequenceNumber"].as_str();
                number.is_some_and(|number| failed.contains(number))
            });
            // All from the first failure on comes again.
            match first {
                None => return,
                Some(first) => batch.drain(..first),
            };
        }
        let wait = BACK_OFF * 2_u32.pow(attempt.min(10));
        tokio::time::sleep(wait.min(BACK_OFF_MAX)).await;
    }
    world.tell(format_args!(
        "{function}: {} records never published",
        batch.len()
    ));
}

async fn schedule(world: Arc<World>, function: String, event: ScheduleEvent) {
    let mut ticks = tokio::time::interval(event.every);
    let input = event.input.clone();
    let input = input.unwrap_or_else(|| json!({"source": "aws.scheduler"}).to_string());
    loop {
        ticks.tick().await;
        let (world, function, input) = (world.clone(), function.clone(), input.clone());
        tokio::spawn(async move {
            // The next tick comes whatever becomes of this one.
            let _ = world.invoke(&function, input).await;
        });
    }
}
