//! DynamoDB stream event source mappings: records are delivered in order, retried
//! until they succeed or are given up, and then reported to the failure destination.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json, value::to_raw_value};
use tokio::task::JoinHandle;

use super::{
    batch::{BatchResult, batch_result},
    checkpoint::Checkpoints,
    retry::{NextAction, next_action},
};
use crate::{
    clock,
    cloud::{Changes, Database, Queues, StopSignal, StreamRecord, Topics},
    functions::{InvokeError, PAYLOAD_BYTES_MAX, Running},
    ids,
    template::{StreamEvent, Table, names},
};

/// The delay before the first retry; it doubles with each further one.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// The pause after an error of the stream itself.
const ERROR_PAUSE: Duration = Duration::from_secs(1);

/// Where records that were given up are reported.
pub(crate) enum Destination {
    /// A queue's URL.
    Queue(String),
    /// A topic's ARN.
    Topic(String),
}

/// One mapping.
pub(crate) struct StreamTrigger {
    pub(crate) event: StreamEvent,
    pub(crate) table: Table,
    pub(crate) function: Arc<Running>,
    pub(crate) database: Arc<Database>,
    pub(crate) queues: Arc<Queues>,
    pub(crate) topics: Arc<Topics>,
    pub(crate) destination: Option<Destination>,
    pub(crate) checkpoints: Arc<Checkpoints>,
}

/// Records that are delivered together, and how often they have been retried.
struct Batch {
    records: Vec<StreamRecord>,
    retries: u32,
}

impl StreamTrigger {
    /// Runs until it is told to stop.
    pub(crate) fn start(self, stop: StopSignal) -> JoinHandle<()> {
        let changes = self.database.changes();
        let trigger = Arc::new(self);
        tokio::spawn(async move { trigger.run(changes, stop).await })
    }

    /// The key of this mapping's checkpoint.
    fn name(&self) -> String {
        format!("{}/{}", self.function.spec.logical_id, self.event.name)
    }

    async fn run(self: Arc<Self>, mut changes: Changes, stop: StopSignal) {
        let name = self.name();
        let mut position: Option<String> = None;
        while !stop.is_set() {
            changes.mark_unchanged();
            let read = match &position {
                Some(position) => self.database.stream_records(position),
                None => {
                    let reached = self.checkpoints.get(&name);
                    let after = reached.as_ref().and_then(|reached| {
                        self.database.replay_position(&self.table.name, reached)
                    });
                    // A mapping that has run before but has no older record reads all.
                    let from_oldest = self.event.from_oldest || reached.is_some();
                    let start = self.database.stream_position(
                        &self.table.name,
                        after.as_deref(),
                        from_oldest,
                    );
                    start.map(|start| (Vec::new(), start))
                }
            };
            let (records, next) = match read {
                Ok(read) => read,
                Err(error) => {
                    tracing::error!(mapping = name, %error, "cannot read the stream");
                    tokio::time::sleep(ERROR_PAUSE).await;
                    continue;
                }
            };
            let Some(current) = position.replace(next) else {
                continue;
            };
            let Some(last) = records.last().map(|record| record.sequence_number.clone()) else {
                tokio::select! {
                    _ = changes.changed() => {}
                    () = stop.clone().wait() => {}
                }
                continue;
            };
            let wanted: Vec<StreamRecord> = records
                .into_iter()
                .filter(|record| self.wants(record))
                .collect();
            let left = self.window_left(&wanted);
            if !left.is_zero() {
                // More records may arrive: read again from the same position.
                tokio::select! {
                    () = tokio::time::sleep(left) => {}
                    _ = changes.changed() => {}
                    () = stop.clone().wait() => {}
                }
                position = Some(current);
                continue;
            }
            if !self.clone().deliver_in_lanes(wanted, &stop).await {
                return;
            }
            self.checkpoints.set(&name, &last);
        }
    }

    fn wants(&self, record: &StreamRecord) -> bool {
        self.event.filters.is_empty()
            || self
                .event
                .filters
                .iter()
                .any(|pattern| pattern.matches(&record.json))
    }

    /// How much longer to gather records: until the batch is full or its oldest
    /// record has waited for the batching window.
    fn window_left(&self, wanted: &[StreamRecord]) -> Duration {
        let Some(oldest) = wanted
            .first()
            .filter(|_| wanted.len() < self.event.batch_size)
        else {
            return Duration::ZERO;
        };
        let age_seconds = clock::now().as_second().saturating_sub(oldest.created_at);
        self.event.window.saturating_sub(Duration::from_secs(
            u64::try_from(age_seconds).unwrap_or_default(),
        ))
    }

    /// Delivers the records, those of one partition key in order. Returns whether
    /// all were processed before the signal to stop.
    async fn deliver_in_lanes(
        self: Arc<Self>,
        records: Vec<StreamRecord>,
        stop: &StopSignal,
    ) -> bool {
        let mut lanes: Vec<Vec<StreamRecord>> = vec![Vec::new(); self.event.parallel];
        for record in records {
            let lane = self.lane(&record);
            lanes[lane].push(record);
        }
        let lanes = lanes
            .into_iter()
            .filter(|lane| !lane.is_empty())
            .map(|lane| {
                let (trigger, stop) = (self.clone(), stop.clone());
                async move { trigger.deliver(lane, &stop).await }
            });
        futures_util::future::join_all(lanes)
            .await
            .into_iter()
            .all(|done| done)
    }

    fn lane(&self, record: &StreamRecord) -> usize {
        if self.event.parallel == 1 {
            return 0;
        }
        let keys = self.table.definition["KeySchema"].as_array();
        let partition = keys
            .into_iter()
            .flatten()
            .find(|key| key["KeyType"] == "HASH");
        let name = partition
            .and_then(|key| key["AttributeName"].as_str())
            .unwrap_or_default();
        let mut hasher = DefaultHasher::new();
        record.json["dynamodb"]["Keys"][name]
            .to_string()
            .hash(&mut hasher);
        let lanes = u64::try_from(self.event.parallel).unwrap_or(1);
        usize::try_from(hasher.finish() % lanes).unwrap_or_default()
    }

    async fn deliver(&self, records: Vec<StreamRecord>, stop: &StopSignal) -> bool {
        let mut pending: VecDeque<Batch> = records
            .chunks(self.event.batch_size)
            .map(|chunk| Batch {
                records: chunk.to_vec(),
                retries: 0,
            })
            .collect();
        while let Some(batch) = pending.pop_front() {
            if stop.is_set() {
                return false;
            }
            let batch = self.without_expired(batch).await;
            if batch.records.is_empty() {
                continue;
            }
            let result = match self.attempt(&batch.records).await {
                Ok(result) => result,
                Err(InvokeError::TooLarge(_)) if batch.records.len() > 1 => {
                    split(batch.records, batch.retries, &mut pending);
                    continue;
                }
                Err(_) => BatchResult::Failed,
            };
            let numbers: Vec<&str> = batch
                .records
                .iter()
                .map(|record| record.sequence_number.as_str())
                .collect();
            match next_action(&self.event, &result, &numbers, batch.retries) {
                NextAction::Continue => {}
                NextAction::Bisect(left) => {
                    split(batch.records[left].to_vec(), batch.retries, &mut pending)
                }
                NextAction::GiveUp(left) => {
                    self.give_up(
                        &batch.records[left],
                        "RetryAttemptsExhausted",
                        batch.retries + 1,
                    )
                    .await;
                }
                NextAction::Retry(left) => {
                    let pause = BACKOFF_FIRST
                        .saturating_mul(1 << batch.retries.min(10))
                        .min(BACKOFF_MAX);
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = stop.clone().wait() => return false,
                    }
                    let records = batch.records[left].to_vec();
                    pending.push_front(Batch {
                        records,
                        retries: batch.retries + 1,
                    });
                }
            }
        }
        true
    }

    async fn attempt(&self, records: &[StreamRecord]) -> Result<BatchResult, InvokeError> {
        let arn = names::stream_arn(&self.table.name);
        let records_json: Vec<Value> = records
            .iter()
            .map(|record| {
                let mut json = record.json.clone();
                json["eventSourceARN"] = arn.as_str().into();
                json
            })
            .collect();
        let payload = to_raw_value(&json!({"Records": records_json}))
            .map_err(|_| InvokeError::TooLarge(PAYLOAD_BYTES_MAX))?;
        let reply = self.function.invoke(payload).await?;
        let items = records.iter().map(|record| record.sequence_number.as_str());
        Ok(batch_result(reply.get(), self.event.report_failures, items))
    }

    /// Gives up records that are older than `MaximumRecordAgeInSeconds`.
    async fn without_expired(&self, batch: Batch) -> Batch {
        let Some(age_max) = self.event.age_max else {
            return batch;
        };
        let oldest = clock::now()
            .as_second()
            .saturating_sub(age_max.as_secs().cast_signed());
        let (expired, records): (Vec<_>, Vec<_>) = batch
            .records
            .into_iter()
            .partition(|record| record.created_at < oldest);
        if !expired.is_empty() {
            self.give_up(&expired, "RecordAgeExceeded", batch.retries)
                .await;
        }
        Batch { records, ..batch }
    }

    /// Reports records to the failure destination: their position in the stream,
    /// not their content.
    async fn give_up(&self, records: &[StreamRecord], condition: &str, invocations: u32) {
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return;
        };
        let function = &self.function.spec;
        tracing::error!(
            function = function.code_name,
            condition,
            records = records.len(),
            first = first.sequence_number,
            "stream records given up"
        );
        let at = |seconds: i64| {
            jiff::Timestamp::from_second(seconds)
                .unwrap_or_default()
                .to_string()
        };
        let message = json!({
            "requestContext": {
                "requestId": ids::request_id(),
                "functionArn": function.arn(),
                "condition": condition,
                "approximateInvokeCount": invocations,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "timestamp": clock::now().to_string(),
            "DDBStreamBatchInfo": {
                "shardId": dynoxide::streams::shard_id(&self.table.name),
                "startSequenceNumber": first.sequence_number,
                "endSequenceNumber": last.sequence_number,
                "approximateArrivalOfFirstRecord": at(first.created_at),
                "approximateArrivalOfLastRecord": at(last.created_at),
                "batchSize": records.len(),
                "streamArn": names::stream_arn(&self.table.name),
            },
        })
        .to_string();
        let reported = match &self.destination {
            None => Ok(()),
            Some(Destination::Queue(url)) => self
                .queues
                .send(url, &message)
                .await
                .map_err(|error| error.to_string()),
            Some(Destination::Topic(arn)) => self
                .topics
                .publish(arn, &message)
                .await
                .map_err(|error| error.to_string()),
        };
        if let Err(error) = reported {
            tracing::error!(
                function = function.code_name,
                error,
                "cannot report to the failure destination"
            );
        }
    }
}

/// Replaces a batch by its two halves.
fn split(mut records: Vec<StreamRecord>, retries: u32, pending: &mut VecDeque<Batch>) {
    let second = records.split_off(records.len() / 2);
    pending.push_front(Batch {
        records: second,
        retries,
    });
    pending.push_front(Batch { records, retries });
}
