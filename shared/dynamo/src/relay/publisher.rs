//! Publishes events and marks them, several at a time.

use std::{collections::HashSet, ops::Range};

use aws_sdk_sns::{
    Client as Sns, error::SdkError, operation::publish_batch::PublishBatchError,
    types::PublishBatchRequestEntry,
};
use contracts::private_members;
use futures_util::{StreamExt, stream};
use runtime::{Clock, Environment, Error, aws::Aws, log, metrics::Dependency};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::Report;
use crate::{CommitError, Expression, Key, OutboxItem, Table};

/// Entries of one PublishBatch (a limit of SNS).
const BATCH_ENTRIES_MAX: usize = 10;
/// Bytes of one PublishBatch; SNS takes 262,144 with what is around them.
const BATCH_BYTES_MAX: usize = 240_000;
/// Calls of SNS at a time. Each needs a connection of its own, whose handshake
/// costs a small function more than the call; four carry 2,000 events a second
/// at 20 ms a call, more than its processor does.
const PUBLISHES_AT_ONCE: usize = 4;
/// Marks at a time, for the same reason: at 5 ms each, sixteen are 3,200 a second.
const MARKS_AT_ONCE: usize = 16;

/// An event that is to be published.
pub(super) struct Pending {
    pub(super) key: Key,
    /// When it was written, in milliseconds since the Unix epoch.
    pub(super) since: i64,
    json: String,
    correlation_id: String,
    /// The event without its private members, if it has any.
    redacted: Option<String>,
}

impl Pending {
    pub(super) fn new(item: OutboxItem) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Head {
            #[serde(rename = "type")]
            event_type: String,
            correlationid: String,
        }
        let head: Head = serde_json::from_str(&item.event)?;
        Ok(Self {
            key: Key::new(item.pk, item.sk),
            since: item.unsent_since.unwrap_or(i64::MAX),
            redacted: redacted(&head.event_type, &item.event)?,
            json: item.event,
            correlation_id: head.correlationid,
        })
    }
}

/// An event without its private members, if it has any.
fn redacted(event_type: &str, json: &str) -> Result<Option<String>, serde_json::Error> {
    let private = private_members(event_type);
    if private.is_empty() {
        return Ok(None);
    }
    // Not as an [`contracts::Envelope`]: a newer release may have added members.
    let mut event: Value = serde_json::from_str(json)?;
    let Some(data) = event.get_mut("data").and_then(Value::as_object_mut) else {
        return Ok(None);
    };
    let before = data.len();
    data.retain(|name, _| !private.contains(&name.as_str()));
    if data.len() == before {
        return Ok(None);
    }
    serde_json::to_string(&event).map(Some)
}

/// What came of publishing.
#[derive(Default)]
pub(super) struct Outcome {
    /// The indexes of events that were not published.
    pub(super) failed: Vec<usize>,
    /// Whether SNS did not answer, or said that it cannot now: not whether it
    /// refused events for what they are.
    pub(super) unavailable: bool,
    /// Whether it refused a call, which may be for one event of it.
    refused: bool,
}

/// Publishes to a service's topic. Whoever shares it shares its limits.
pub(super) struct Publisher {
    table: Table,
    sns: Sns,
    topic_arn: String,
    clock: Clock,
    publishes: Semaphore,
    marks: Semaphore,
}

impl Publisher {
    pub(super) fn new(table: Table, environment: &Environment) -> Result<Self, Error> {
        Ok(Self {
            table,
            sns: Aws::from_environment(environment)?.sns(),
            topic_arn: environment.require("TOPIC_ARN")?.to_owned(),
            clock: environment.host().clock().clone(),
            publishes: Semaphore::new(PUBLISHES_AT_ONCE),
            marks: Semaphore::new(MARKS_AT_ONCE),
        })
    }

    /// Publishes, and marks what got through.
    pub(super) async fn publish(&self, pending: &[Pending], report: &mut Report) -> Outcome {
        let ids = pending.iter().map(|one| one.correlation_id.clone());
        report.correlation_ids.extend(ids);
        let outcomes: Vec<Outcome> = stream::iter(batches(pending))
            .map(|range| self.publish_and_mark(pending, range))
            .buffer_unordered(PUBLISHES_AT_ONCE)
            .collect()
            .await;
        let mut all = Outcome::default();
        for outcome in outcomes {
            all.failed.extend(outcome.failed);
            all.unavailable |= outcome.unavailable;
        }
        all.failed.sort_unstable();
        report.sent += pending.len() - all.failed.len();
        all
    }

    async fn publish_and_mark(&self, pending: &[Pending], range: Range<usize>) -> Outcome {
        let mut outcome = self.publish_batch(pending, range.clone()).await;
        if outcome.refused && range.len() > 1 {
            outcome = Outcome::default();
            for index in range.clone() {
                let alone = self.publish_batch(pending, index..index + 1).await;
                outcome.failed.extend(alone.failed);
                outcome.unavailable |= alone.unavailable;
            }
        }
        let failed: HashSet<usize> = outcome.failed.iter().copied().collect();
        stream::iter(range.filter(|index| !failed.contains(index)))
            .for_each_concurrent(None, async |index| {
                if let Err(error) = self.mark_sent(&pending[index]).await {
                    // Published all the same: the sweep will publish it again.
                    let error = log::error_chain(&error);
                    tracing::warn!(error, "event published but not marked");
                }
            })
            .await;
        outcome
    }

    /// Publishes up to ten events. SNS may answer 200 and still have refused some.
    async fn publish_batch(&self, pending: &[Pending], range: Range<usize>) -> Outcome {
        let failed = |unavailable: bool| Outcome {
            failed: range.clone().collect(),
            unavailable,
            refused: !unavailable,
        };
        let entries: Result<Vec<_>, _> = range
            .clone()
            .map(|index| {
                PublishBatchRequestEntry::builder()
                    .id((index - range.start).to_string())
                    .message(&pending[index].json)
                    .build()
            })
            .collect();
        let Ok(entries) = entries else {
            return failed(false);
        };
        let Ok(_permit) = self.publishes.acquire().await else {
            return failed(true);
        };
        let sent = self
            .sns
            .publish_batch()
            .topic_arn(&self.topic_arn)
            .set_publish_batch_request_entries(Some(entries))
            .send()
            .await;
        let output = match sent {
            Ok(output) => output,
            Err(error) => {
                Dependency::Sns.failed();
                let unavailable = is_unavailable(&error);
                let error = log::error_chain(&error);
                tracing::error!(error, events = range.len(), "publish failed");
                return failed(unavailable);
            }
        };
        let taken: HashSet<usize> = output
            .successful
            .unwrap_or_default()
            .into_iter()
            .filter_map(|entry| entry.id?.parse().ok())
            .collect();
        let begin = range.start;
        let failed: Vec<usize> = range
            .filter(|index| !taken.contains(&(index - begin)))
            .collect();
        if !failed.is_empty() {
            Dependency::Sns.failed();
        }
        Outcome {
            failed,
            ..Outcome::default()
        }
    }

    /// Takes the event out of the index of what is to be published, and its
    /// private members out of the table.
    async fn mark_sent(&self, one: &Pending) -> Result<(), CommitError> {
        let Ok(_permit) = self.marks.acquire().await else {
            return Ok(());
        };
        let sent = match &one.redacted {
            Some(redacted) => Expression::update(
                "SET sent_at = :now, #event = :redacted REMOVE unsent, unsent_since",
            )
            .name("#event", "event")
            .value(":redacted", redacted),
            None => Expression::update("SET sent_at = :now REMOVE unsent, unsent_since"),
        };
        // Not what has been announced again since.
        let sent = sent
            .only_when(
                "attribute_exists(pk) \
                 AND (attribute_not_exists(unsent_since) OR unsent_since = :since)",
            )
            .value(":since", one.since)
            .value(":now", self.clock.now().as_millisecond());
        self.table
            .update::<IgnoredAny>(one.key.clone(), sent)
            .await
            .map(drop)
    }
}

/// Whether another time may be better; otherwise it is the request.
fn is_unavailable(error: &SdkError<PublishBatchError>) -> bool {
    match error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            status >= 500 || status == 429 || status == 403
        }
        _ => true,
    }
}

/// Events by the calls that publish them, by count and by bytes.
fn batches(pending: &[Pending]) -> Vec<Range<usize>> {
    let (mut batches, mut begin) = (Vec::new(), 0);
    while begin < pending.len() {
        let mut bytes = 0;
        let fits = pending[begin..]
            .iter()
            .take(BATCH_ENTRIES_MAX)
            .take_while(|one| {
                bytes += one.json.len();
                bytes <= BATCH_BYTES_MAX
            });
        let end = begin + fits.count().max(1);
        batches.push(begin..end);
        begin = end;
    }
    batches
}
