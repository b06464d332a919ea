//! The relay of a service: publishes what the outbox holds.
//!
//! The table's stream brings new events at once. What did not get through
//! (a stream record that was given up, a relay that died between publishing
//! and marking) is found by a sweep that runs every minute. Both publish at
//! least once; consumers count each event once.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Instant,
};

use aws_lambda_events::dynamodb::Event as StreamEvent;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sns::{Client as Sns, types::PublishBatchRequestEntry};
use jiff::SignedDuration;
use kernel::Clock;
use runtime::{
    BoxFuture, Environment, Error, Function, Grant, Handler, LambdaEvent, Trigger, aws::Aws,
    metrics::Dependency,
};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::{Expression, Key, OutboxItem, StoreError, Table, UNSENT_INDEX, outbox::UNSENT_SHARDS};

/// Entries of one PublishBatch (a limit of SNS).
const BATCH_ENTRIES_MAX: usize = 10;
/// Bytes of one PublishBatch; SNS takes 262,144 with what is around them.
const BATCH_BYTES_MAX: usize = 240_000;
/// How old an unsent event is before the sweep sends it: long past what the
/// stream needs.
const SWEEP_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// Events of one shard in one sweep; the next one goes on.
const SWEEP_EVENTS_MAX: i32 = 200;

/// What a service does with each sweep, beside publishing: it may look at its
/// own table at that time.
pub type WithSweep = fn(Table, jiff::Timestamp) -> BoxFuture<Result<(), Error>>;

/// The relay function `name`.
pub fn function(name: &'static str, grants: &'static [Grant]) -> Function {
    started(name, grants, Clock::System, None)
}

/// A relay whose every sweep does something more, which may fail without harm
/// to the publishing.
pub fn function_with_sweep(
    name: &'static str,
    grants: &'static [Grant],
    clock: Clock,
    with_sweep: WithSweep,
) -> Function {
    started(name, grants, clock, Some(with_sweep))
}

fn started(
    name: &'static str,
    grants: &'static [Grant],
    clock: Clock,
    with_sweep: Option<WithSweep>,
) -> Function {
    Function::new(name, Trigger::Stream, grants, move |environment| {
        let clock = clock.clone();
        async move {
            let mut relay = Relay::start(environment, clock).await?;
            relay.with_sweep = with_sweep;
            let relay = Arc::new(relay);
            let handler: Handler = Arc::new(move |event| {
                let relay = relay.clone();
                Box::pin(async move { relay.answer(name, event).await })
            });
            Ok(handler)
        }
    })
}

/// Publishes a service's events.
pub struct Relay {
    table: Table,
    sns: Sns,
    topic_arn: String,
    clock: Clock,
    with_sweep: Option<WithSweep>,
}

/// One event that waits.
struct Waiting {
    key: Key,
    json: String,
}

impl Waiting {
    /// The id of the chain that it belongs to, for the log.
    fn chain(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Chain {
            correlationid: String,
        }
        let chain: Chain = serde_json::from_str(&self.json).ok()?;
        Some(chain.correlationid)
    }
}

/// What one invocation did.
#[derive(Default)]
struct Round {
    /// How many events got through.
    sent: usize,
    /// The sequence numbers of those of a stream that did not.
    failed: Vec<String>,
    /// The chains that the events belong to.
    chains: BTreeSet<String>,
}

#[derive(Deserialize, Serialize)]
struct UnsentKey {
    pk: String,
    sk: String,
}

impl Relay {
    /// A relay for the table in `TABLE` and the topic in `TOPIC_ARN`.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn start(environment: Environment, clock: Clock) -> Result<Self, Error> {
        Ok(Self {
            table: Table::open(&environment).await?,
            sns: Aws::from_environment(&environment)?.sns(),
            topic_arn: environment.require("TOPIC_ARN")?.to_owned(),
            clock,
            with_sweep: None,
        })
    }

    async fn answer(
        &self,
        function: &'static str,
        event: LambdaEvent<Box<RawValue>>,
    ) -> Result<Box<RawValue>, Error> {
        #[derive(Deserialize)]
        struct Shape {
            #[serde(rename = "Records")]
            records: Option<serde::de::IgnoredAny>,
        }
        let (started, request_id) = (Instant::now(), event.context.request_id);
        let payload = event.payload.get();
        let shape: Shape = serde_json::from_str(payload)?;
        let round = if shape.records.is_some() {
            self.forward(serde_json::from_str(payload)?).await?
        } else {
            let round = self.sweep().await?;
            self.do_with_sweep(function).await;
            round
        };
        let duration_ms = runtime::log::millis(started);
        let (sent, failures) = (round.sent, round.failed.len());
        let correlation_ids = round.chains.into_iter().collect::<Vec<_>>().join(" ");
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
        let failed: Vec<_> = round
            .failed
            .into_iter()
            .map(|id| serde_json::json!({ "itemIdentifier": id }))
            .collect();
        Ok(to_raw_value(
            &serde_json::json!({ "batchItemFailures": failed }),
        )?)
    }

    async fn do_with_sweep(&self, function: &'static str) {
        let Some(with_sweep) = self.with_sweep else {
            return;
        };
        if let Err(error) = with_sweep(self.table.clone(), self.clock.now()).await {
            let error = runtime::log::chain(error.as_ref());
            tracing::error!(function, error, "what goes with the sweep failed");
        }
    }

    /// Publishes the events of a stream's batch.
    async fn forward(&self, batch: StreamEvent) -> Result<Round, Error> {
        let (mut waiting, mut numbers) = (Vec::new(), Vec::new());
        for record in batch.records {
            let item: OutboxItem = match serde_dynamo::from_item(record.change.new_image) {
                Ok(item) => item,
                // Other items pass the same stream when the filter is loose.
                Err(_) => continue,
            };
            if item.unsent.is_some() {
                waiting.push(Waiting {
                    key: Key::new(item.pk, item.sk),
                    json: item.event,
                });
                numbers.push(record.change.sequence_number.unwrap_or_default());
            }
        }
        let mut round = Round::default();
        let failed = self.publish(&waiting, &mut round).await;
        round.failed = failed
            .into_iter()
            .map(|index| numbers[index].clone())
            .collect();
        Ok(round)
    }

    /// Publishes what has waited too long; the next sweep finds what failed.
    async fn sweep(&self) -> Result<Round, StoreError> {
        let before = self
            .clock
            .now()
            .saturating_sub(SWEEP_AFTER)
            .unwrap_or(jiff::Timestamp::MIN);
        let mut round = Round::default();
        for shard in 0..UNSENT_SHARDS {
            let output = self
                .table
                .client()
                .query()
                .table_name(self.table.name())
                .index_name(UNSENT_INDEX)
                .key_condition_expression("unsent = :shard AND unsent_since < :before")
                .expression_attribute_values(":shard", AttributeValue::S(shard.to_string()))
                .expression_attribute_values(
                    ":before",
                    AttributeValue::N(before.as_millisecond().to_string()),
                )
                .limit(SWEEP_EVENTS_MAX)
                .send()
                .await
                .map_err(|error| StoreError::call("Query", error))?;
            let keys: Vec<UnsentKey> = serde_dynamo::from_items(output.items.unwrap_or_default())?;
            let keys = keys
                .into_iter()
                .map(|key| Key::new(key.pk, key.sk))
                .collect();
            let items: Vec<OutboxItem> = self.table.get_many(keys, true).await?;
            let waiting: Vec<_> = items
                .into_iter()
                .filter(|item| item.unsent.is_some())
                .map(|item| Waiting {
                    key: Key::new(item.pk, item.sk),
                    json: item.event,
                })
                .collect();
            self.publish(&waiting, &mut round).await;
        }
        Ok(round)
    }

    /// Publishes, and marks what got through; gives the indexes of what did not.
    async fn publish(&self, waiting: &[Waiting], round: &mut Round) -> Vec<usize> {
        round
            .chains
            .extend(waiting.iter().filter_map(Waiting::chain));
        let mut failed = Vec::new();
        let mut begin = 0;
        while begin < waiting.len() {
            let end = batch_end(waiting, begin);
            let lost = self.publish_batch(&waiting[begin..end]).await;
            for (offset, one) in waiting[begin..end].iter().enumerate() {
                if lost.contains(&offset) {
                    failed.push(begin + offset);
                } else if let Err(error) = self.mark_sent(&one.key).await {
                    // Published all the same: the sweep will publish it again.
                    tracing::warn!(error = %error, "event published but not marked");
                }
            }
            begin = end;
        }
        round.sent += waiting.len() - failed.len();
        failed
    }

    /// Publishes up to ten events; gives the offsets of those that SNS did not
    /// take. It may answer 200 and still have refused some.
    async fn publish_batch(&self, batch: &[Waiting]) -> HashSet<usize> {
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
                let error = runtime::log::chain(&error);
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
fn batch_end(waiting: &[Waiting], begin: usize) -> usize {
    let mut bytes = 0;
    let fits = waiting[begin..]
        .iter()
        .take(BATCH_ENTRIES_MAX)
        .take_while(|one| {
            bytes += one.json.len();
            bytes <= BATCH_BYTES_MAX
        });
    begin + fits.count().max(1)
}
