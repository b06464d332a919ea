//! The relay of a service: publishes the events of its outbox.
//!
//! The table's stream brings new events at once. Events that were not published
//! or not marked as published (a stream record that was given up, a relay that
//! died in between) are found by a sweep that runs every minute. Both publish at
//! least once; consumers count each event once. Neither keeps an order: consumers
//! take events in any.

mod publisher;
mod sweep;

use std::{
    collections::{BTreeSet, HashSet},
    future::Future,
    sync::Arc,
};

use aws_lambda_events::dynamodb::Event as StreamEvent;
use jiff::{SignedDuration, Timestamp};
use runtime::{
    BoxFuture, Clock, Environment, Error, Function, Grant, Handler, LambdaEvent, Stopwatch,
    Trigger, log,
    metrics::{Counter, Metric, Unit},
};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use self::publisher::{Pending, Publisher};
use crate::{Item, Key, OutboxItem, StoreError, Table};

/// How old an event is when the stream delivers it late, or again after a
/// failure: then its item is read, because the sweep or an earlier attempt may
/// have published it. Without a backlog a stream delivers within a second or two.
const LATE_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// The metrics of relays.
pub const METRICS: &[Metric] = &[UNREADABLE_EVENTS.0];

const UNREADABLE_EVENTS: Counter = Counter(Metric {
    name: "UnreadableEvents",
    unit: Some(Unit::Count),
    labels: &[],
    help: "Items of an outbox that are not events and were skipped, at each attempt",
});

/// What a service does after each sweep, beside publishing.
type AfterSweep = Arc<dyn Fn(Table, Timestamp) -> BoxFuture<Result<(), Error>> + Send + Sync>;

/// The relay function `name`, for the table in `TABLE` and the topic in
/// `TOPIC_ARN`.
pub fn function(name: &'static str, grants: &'static [Grant]) -> Function {
    build(name, grants, None)
}

/// A relay that also does something after each sweep; when that fails, the
/// publishing goes on.
pub fn function_with_sweep<Sweeping>(
    name: &'static str,
    grants: &'static [Grant],
    after_sweep: fn(Table, Timestamp) -> Sweeping,
) -> Function
where
    Sweeping: Future<Output = Result<(), Error>> + Send + 'static,
{
    let after_sweep: AfterSweep = Arc::new(move |table, now| Box::pin(after_sweep(table, now)));
    build(name, grants, Some(after_sweep))
}

fn build(
    name: &'static str,
    grants: &'static [Grant],
    after_sweep: Option<AfterSweep>,
) -> Function {
    let answer = move |relay: Arc<Relay>, _: &Environment| -> Result<Handler, Error> {
        let after_sweep = after_sweep.clone();
        Ok(Arc::new(move |event| {
            let (relay, after_sweep) = (relay.clone(), after_sweep.clone());
            Box::pin(async move { relay.answer(name, event, after_sweep).await })
        }))
    };
    Function::build(name, Trigger::Stream, grants, Relay::start, answer)
}

/// Publishes a service's events.
struct Relay {
    table: Table,
    publisher: Publisher,
    clock: Clock,
}

/// What one invocation did.
#[derive(Default)]
struct Report {
    /// How many events were published.
    sent: usize,
    /// The sequence numbers of stream records whose events were not.
    failed: Vec<String>,
    /// How many items could not be read.
    unreadable: usize,
    correlation_ids: BTreeSet<String>,
}

/// A sweep found items that are not events. It has published all others; its
/// invocation fails, so that the alarm on failing functions rings.
#[derive(Debug, thiserror::Error)]
#[error("{0} items of the outbox cannot be read")]
struct UnreadableItems(usize);

impl Relay {
    async fn start(environment: Environment) -> Result<Self, Error> {
        let table = Table::open(&environment).await?;
        Ok(Self {
            publisher: Publisher::new(table.clone(), &environment)?,
            table,
            clock: environment.host().clock().clone(),
        })
    }

    async fn answer(
        &self,
        function: &'static str,
        event: LambdaEvent<Box<RawValue>>,
        after_sweep: Option<AfterSweep>,
    ) -> Result<Box<RawValue>, Error> {
        #[derive(Deserialize)]
        struct Shape {
            #[serde(rename = "Records")]
            records: Option<serde::de::IgnoredAny>,
        }
        let (stopwatch, request_id) = (Stopwatch::start(), event.context.request_id);
        let payload = event.payload.get();
        let shape: Shape = serde_json::from_str(payload)?;
        let (report, error) = if shape.records.is_some() {
            (self.forward(serde_json::from_str(payload)?).await, None)
        } else {
            let (report, error) = self.sweep().await;
            if let Some(after_sweep) = after_sweep {
                self.run_after_sweep(function, &after_sweep).await;
            }
            (report, error)
        };
        let duration_ms = stopwatch.elapsed_ms();
        let (sent, failures) = (report.sent, report.failed.len());
        let correlation_ids = Vec::from_iter(report.correlation_ids).join(" ");
        if failures > 0 {
            tracing::error!(
                function,
                request_id,
                correlation_ids,
                sent,
                failures,
                duration_ms,
                "events not published"
            );
        } else if sent > 0 {
            tracing::info!(
                function,
                request_id,
                correlation_ids,
                sent,
                duration_ms,
                "events published"
            );
        }
        if let Some(error) = error {
            return Err(error);
        }
        let failed: Vec<_> = report
            .failed
            .into_iter()
            .map(|id| serde_json::json!({ "itemIdentifier": id }))
            .collect();
        Ok(to_raw_value(
            &serde_json::json!({ "batchItemFailures": failed }),
        )?)
    }

    async fn run_after_sweep(&self, function: &'static str, after_sweep: &AfterSweep) {
        if let Err(error) = after_sweep(self.table.clone(), self.clock.now()).await {
            let error = log::error_chain(error.as_ref());
            tracing::error!(function, error, "task after the sweep failed");
        }
    }

    /// Publishes the events of a stream's batch.
    async fn forward(&self, batch: StreamEvent) -> Report {
        let mut report = Report::default();
        let (mut pending, mut numbers) = (Vec::new(), Vec::new());
        for record in batch.records {
            let item = Item::from(record.change.new_image);
            // Other items pass the same stream when the filter is loose.
            if !item.contains_key("unsent") {
                continue;
            }
            if let Some(one) = read(item, &mut report) {
                pending.push(one);
                numbers.push(record.change.sequence_number.unwrap_or_default());
            }
        }
        let published = self.published_meanwhile(&pending).await;
        let (pending, numbers): (Vec<_>, Vec<_>) = pending
            .into_iter()
            .zip(numbers)
            .filter(|(one, _)| !published.contains(&one.key))
            .unzip();
        let outcome = self.publisher.publish(&pending, &mut report).await;
        report.failed = outcome
            .failed
            .into_iter()
            .map(|index| numbers[index].clone())
            .collect();
        report
    }

    /// The keys of late events that have been published since their stream
    /// records were written. When that cannot be read, none: an event that is
    /// published twice does less harm than one that waits.
    async fn published_meanwhile(&self, pending: &[Pending]) -> HashSet<Key> {
        let late_before = self.ago(LATE_AFTER).as_millisecond();
        let late = pending.iter().filter(|one| one.since < late_before);
        let keys: Vec<Key> = late.map(|one| one.key.clone()).collect();
        if keys.is_empty() {
            return HashSet::new();
        }
        match self.table.get_items(keys, true).await {
            Ok(items) => items
                .into_iter()
                .filter(|item| !item.contains_key("unsent"))
                .filter_map(|item| Key::of(&item))
                .collect(),
            Err(error) => {
                let error = log::error_chain(&error);
                tracing::warn!(error, "late events are published unseen");
                HashSet::new()
            }
        }
    }

    fn ago(&self, age: SignedDuration) -> Timestamp {
        let now = self.clock.now();
        now.saturating_sub(age).unwrap_or(Timestamp::MIN)
    }
}

/// The event of an outbox item. One that is not an event is counted, logged and
/// left out: it must not keep the others waiting.
fn read(item: Item, report: &mut Report) -> Option<Pending> {
    let key = Key::of(&item);
    let read = serde_dynamo::from_item::<_, OutboxItem>(item).map_err(StoreError::from);
    match read.map_err(Error::from).and_then(Pending::new) {
        Ok(one) => Some(one),
        Err(error) => {
            UNREADABLE_EVENTS.increment(&[]);
            report.unreadable += 1;
            let error = log::error_chain(error.as_ref());
            let (pk, sk) = key.map(|key| (key.pk, key.sk)).unwrap_or_default();
            tracing::error!(error, pk, sk, "item of the outbox cannot be read");
            None
        }
    }
}
