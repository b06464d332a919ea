//! The relay of a service: publishes the events of its outbox.
//!
//! The table's stream brings new events at once. Events that were not published
//! or not marked as published (a stream record that was given up, a relay that
//! died in between) are found by a sweep that runs every minute. Both publish at
//! least once; consumers count each event once.

use std::{
    collections::{BTreeSet, HashSet},
    future::Future,
    sync::Arc,
};

use aws_lambda_events::dynamodb::Event as StreamEvent;
use aws_sdk_sns::{Client as Sns, types::PublishBatchRequestEntry};
use jiff::Timestamp;
use runtime::{
    BoxFuture, Clock, Environment, Error, Function, Grant, Handler, LambdaEvent, Stopwatch,
    Trigger, aws::Aws, log, metrics::Dependency,
};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    Expression, Key, OutboxItem, Query, StoreError, Table, UNSENT_INDEX,
    outbox::{SWEEP_AFTER, UNSENT_SHARDS},
};

/// Entries of one PublishBatch (a limit of SNS).
const BATCH_ENTRIES_MAX: usize = 10;
/// Bytes of one PublishBatch; SNS takes 262,144 with what is around them.
const BATCH_BYTES_MAX: usize = 240_000;
/// Events of one shard in one sweep; the next one goes on.
const SWEEP_EVENTS_MAX: usize = 200;

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
    sns: Sns,
    topic_arn: String,
    clock: Clock,
}

/// An event that is to be published.
struct Pending {
    key: Key,
    json: String,
}

impl Pending {
    fn new(item: OutboxItem) -> Self {
        Self {
            key: Key::new(item.pk, item.sk),
            json: item.event,
        }
    }

    fn correlation_id(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Correlated {
            correlationid: String,
        }
        let event: Correlated = serde_json::from_str(&self.json).ok()?;
        Some(event.correlationid)
    }
}

/// What one invocation did.
#[derive(Default)]
struct Report {
    /// How many events were published.
    sent: usize,
    /// The sequence numbers of stream records whose events were not.
    failed: Vec<String>,
    correlation_ids: BTreeSet<String>,
}

#[derive(Deserialize, Serialize)]
struct UnsentKey {
    pk: String,
    sk: String,
}

impl Relay {
    async fn start(environment: Environment) -> Result<Self, Error> {
        Ok(Self {
            table: Table::open(&environment).await?,
            sns: Aws::from_environment(&environment)?.sns(),
            topic_arn: environment.require("TOPIC_ARN")?.to_owned(),
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
        let report = if shape.records.is_some() {
            self.forward(serde_json::from_str(payload)?).await?
        } else {
            let report = self.sweep().await?;
            if let Some(after_sweep) = after_sweep {
                self.run_after_sweep(function, &after_sweep).await;
            }
            report
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
    async fn forward(&self, batch: StreamEvent) -> Result<Report, Error> {
        let (mut pending, mut numbers) = (Vec::new(), Vec::new());
        for record in batch.records {
            let item: OutboxItem = match serde_dynamo::from_item(record.change.new_image) {
                Ok(item) => item,
                // Other items pass the same stream when the filter is loose.
                Err(_) => continue,
            };
            if item.unsent.is_some() {
                pending.push(Pending::new(item));
                numbers.push(record.change.sequence_number.unwrap_or_default());
            }
        }
        let mut report = Report::default();
        let failed = self.publish(&pending, &mut report).await;
        report.failed = failed
            .into_iter()
            .map(|index| numbers[index].clone())
            .collect();
        Ok(report)
    }

    /// Publishes what has waited too long; the next sweep finds what failed.
    async fn sweep(&self) -> Result<Report, StoreError> {
        let before = self
            .clock
            .now()
            .saturating_sub(SWEEP_AFTER)
            .unwrap_or(Timestamp::MIN);
        let mut report = Report::default();
        for shard in 0..UNSENT_SHARDS {
            let query = Query::index(UNSENT_INDEX, "unsent = :shard AND unsent_since < :before")
                .value(":shard", shard.to_string())
                .value(":before", before.as_millisecond());
            let keys: Vec<UnsentKey> = self.table.query(query, SWEEP_EVENTS_MAX).await?.items;
            let keys = keys
                .into_iter()
                .map(|key| Key::new(key.pk, key.sk))
                .collect();
            let items: Vec<OutboxItem> = self.table.get_many(keys, true).await?;
            let pending: Vec<_> = items
                .into_iter()
                .filter(|item| item.unsent.is_some())
                .map(Pending::new)
                .collect();
            self.publish(&pending, &mut report).await;
        }
        Ok(report)
    }

    /// Publishes, and marks what got through; gives the indexes of what did not.
    async fn publish(&self, pending: &[Pending], report: &mut Report) -> Vec<usize> {
        report
            .correlation_ids
            .extend(pending.iter().filter_map(Pending::correlation_id));
        let mut failed = Vec::new();
        let mut begin = 0;
        while begin < pending.len() {
            let end = batch_end(pending, begin);
            let lost = self.publish_batch(&pending[begin..end]).await;
            for (offset, one) in pending[begin..end].iter().enumerate() {
                if lost.contains(&offset) {
                    failed.push(begin + offset);
                } else if let Err(error) = self.mark_sent(&one.key).await {
                    // Published all the same: the sweep will publish it again.
                    tracing::warn!(error = %error, "event published but not marked");
                }
            }
            begin = end;
        }
        report.sent += pending.len() - failed.len();
        failed
    }

    /// Publishes up to ten events; gives the offsets of those that SNS did not
    /// take. It may answer 200 and still have refused some.
    async fn publish_batch(&self, batch: &[Pending]) -> HashSet<usize> {
        let all = || (0..batch.len()).collect();
        let entries: Result<Vec<_>, _> = batch
            .iter()
            .enumerate()
            .map(|(offset, one)| {
                PublishBatchRequestEntry::builder()
                    .id(offset.to_string())
                    .message(&one.json)
                    .build()
            })
            .collect();
        let Ok(entries) = entries else { return all() };
        let sent = self
            .sns
            .publish_batch()
            .topic_arn(&self.topic_arn)
            .set_publish_batch_request_entries(Some(entries))
            .send()
            .await;
        match sent {
            Ok(output) => {
                let taken: HashSet<usize> = output
                    .successful
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|entry| entry.id?.parse().ok())
                    .collect();
                let refused: HashSet<usize> = (0..batch.len())
                    .filter(|offset| !taken.contains(offset))
                    .collect();
                if !refused.is_empty() {
                    Dependency::Sns.failed();
                }
                refused
            }
            Err(error) => {
                Dependency::Sns.failed();
                let error = log::error_chain(&error);
                tracing::error!(error, events = batch.len(), "publish failed");
                all()
            }
        }
    }

    async fn mark_sent(&self, key: &Key) -> Result<(), crate::CommitError> {
        let sent = Expression::update("SET sent_at = :now REMOVE unsent, unsent_since")
            .only_when("attribute_exists(pk)")
            .value(":now", self.clock.now().as_millisecond());
        self.table
            .update::<OutboxItem>(key.clone(), sent)
            .await
            .map(drop)
    }
}

/// Where the batch that begins at `begin` ends, by count and by bytes.
fn batch_end(pending: &[Pending], begin: usize) -> usize {
    let mut bytes = 0;
    let fits = pending[begin..]
        .iter()
        .take(BATCH_ENTRIES_MAX)
        .take_while(|one| {
            bytes += one.json.len();
            bytes <= BATCH_BYTES_MAX
        });
    begin + fits.count().max(1)
}
