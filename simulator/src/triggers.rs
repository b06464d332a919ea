//! What makes functions run: queues, streams and schedules.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use local::template::{Event, QueueEvent, ScheduleEvent, StreamEvent};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    cloud::{Message, Service, Shard},
    functions::Trace,
    is_simulated,
    weather::Dependency,
    world::World,
};

/// Batches of a queue at once, unless the template says otherwise.
const CONCURRENCY_DEFAULT: usize = 5;
/// The wait before a batch of a stream is tried again; it doubles.
const BACK_OFF: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// Starts the triggers of the functions that are simulated.
pub fn start(world: &Arc<World>) {
    for function in &world.template.functions {
        if !is_simulated(&function.code_name) {
            continue;
        }
        for event in &function.events {
            let (world, name) = (world.clone(), function.code_name.clone());
            match event.clone() {
                Event::Http(_) => {}
                Event::Queue(event) => drop(tokio::spawn(queue(world, name, event))),
                Event::Stream(event) => stream(&world, &name, *event),
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
        while let Some(up) = world.faults.down_until(Dependency::Aws(Service::Sqs)) {
            tokio::time::sleep_until(up).await;
        }
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
    for message in &messages {
        world.detail(|| {
            let event: Value = serde_json::from_str(&message.body).unwrap_or_default();
            let (kind, subject) = (&event["type"], &event["subject"]);
            format!(
                "{function}: gets {kind} of {subject}, receive {}",
                message.receives
            )
        });
    }
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

/// Reads a table's stream: each shard in its order, all shards at the same time.
fn stream(world: &Arc<World>, function: &str, event: StreamEvent) {
    let mut tables = world.template.tables.iter();
    let Some(table) = tables.find(|table| table.logical_id == event.table) else {
        return;
    };
    // Batches that a shard delivers at the same time are as independent as shards are.
    let shards = world.faults.forecast().shards * event.parallel.max(1);
    let event = Arc::new(event);
    for shard in world.database.streams.open(&table.name, shards) {
        let (world, function) = (world.clone(), function.to_owned());
        tokio::spawn(read(world, function, event.clone(), shard));
    }
}

async fn read(world: Arc<World>, function: String, event: Arc<StreamEvent>, shard: Arc<Shard>) {
    loop {
        let records = shard.take(event.batch_size).await;
        let _busy = world.busy.begin();
        let wants = |record: &Value| {
            let mut filters = event.filters.iter();
            event.filters.is_empty() || filters.any(|filter| filter.matches(record))
        };
        let wanted: Vec<Value> = records.into_iter().filter(wants).collect();
        if wanted.is_empty() {
            continue;
        }
        tokio::time::sleep(world.faults.transit() + world.faults.shard_lag()).await;
        relay(&world, &function, &event, &wanted).await;
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
    let last: Arc<Mutex<Option<Trace>>> = Arc::default();
    let get = |last: &Mutex<Option<Trace>>| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        last.take()
    };
    loop {
        ticks.tick().await;
        if let Some(trace) = get(&last).filter(|trace| finds_nothing(&world, trace)) {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(trace);
            continue;
        }
        let (world, function, input) = (world.clone(), function.clone(), input.clone());
        let last = last.clone();
        tokio::spawn(async move {
            // The next tick comes whatever becomes of this one.
            let outcome = world.invoke_traced(&function, input).await;
            let trace = outcome.ok().map(|(_, trace)| trace);
            *last.lock().unwrap_or_else(PoisonError::into_inner) = trace;
        });
    }
}

/// Whether another run would find as little as the last one: that made nothing but
/// queries of partitions in which there was nothing at all, and the tables are as they
/// were. Most ticks of a night are of this kind, and take most of a simulation's time.
fn finds_nothing(world: &World, last: &Trace) -> bool {
    let unchanged =
        |(table, changes): (&String, &u64)| world.database.changes_of(table) == *changes;
    !last.worked && last.tables.iter().all(unchanged)
}
