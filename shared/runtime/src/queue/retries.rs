//! When a failed message comes again.
//!
//! A message whose failure may pass is hidden longer each time, so that an
//! outage of hours heals without anybody redriving a dead-letter queue. One that
//! no repetition helps is hidden for a moment only: it uses up its receives
//! within minutes and ends in the dead-letter queue, from where SQS knows its
//! way back.

use std::{sync::OnceLock, time::Duration};

use aws_lambda_events::sqs::SqsMessage;
use aws_sdk_sqs::{Client, types::ChangeMessageVisibilityBatchRequestEntry};

use kernel::Timestamp;

use crate::{Environment, Error, aws::Aws, log, metrics::Dependency};

/// The longest wait before the second try; it doubles with each next one. Most
/// messages that fail came before their cause, which is a second behind them.
const WAIT_FIRST: Duration = Duration::from_secs(2);
/// The longest wait of all: after an outage, everything has been tried again
/// within this time.
const WAIT_MAX: Duration = Duration::from_mins(15);
/// The wait before a message is tried again that no repetition helps: enough
/// that a batch of them does not keep a function busy.
const WAIT_HOPELESS: Duration = Duration::from_secs(3);
/// For the call that hides messages, in which the SDK repeats it once. It is
/// part of what a message leaves of its invocation.
const HIDE_TIMEOUT: Duration = Duration::from_millis(1_200);

/// Whether a repetition may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prospect {
    /// The store or another service failed, or the event came too early.
    Later,
    /// The event cannot be read.
    Never,
}

/// A message that failed.
pub(super) struct FailedMessage {
    pub(super) id: String,
    receipt: String,
    /// How often it has been received.
    receives: u32,
    /// When it was sent, in milliseconds since the Unix epoch.
    sent_ms: Option<i64>,
    prospect: Prospect,
}

impl FailedMessage {
    pub(super) fn new(message: &SqsMessage, prospect: Prospect) -> Self {
        let receives = message.attributes.get("ApproximateReceiveCount");
        let sent_ms = message.attributes.get("SentTimestamp");
        Self {
            id: message.message_id.clone().unwrap_or_default(),
            receipt: message.receipt_handle.clone().unwrap_or_default(),
            receives: receives.and_then(|text| text.parse().ok()).unwrap_or(1),
            sent_ms: sent_ms.and_then(|text| text.parse().ok()),
            prospect,
        }
    }

    /// How many seconds ago it was sent.
    pub(super) fn age_seconds(&self, now: Timestamp) -> u32 {
        let age_ms = self.sent_ms.map_or(0, |sent| now.as_millisecond() - sent);
        u32::try_from(age_ms / 1_000).unwrap_or_default()
    }
}

/// Hides failed messages until they are to be tried again.
pub(super) struct Retries {
    environment: Environment,
    /// Made for the first failure: most functions never need it.
    client: OnceLock<Client>,
}

impl Retries {
    pub(super) fn new(environment: &Environment) -> Self {
        Self {
            environment: environment.clone(),
            client: OnceLock::new(),
        }
    }

    /// Hides each message for as long as it has to wait. If that fails, it comes
    /// again after the queue's visibility timeout. Without `QUEUE_URL`, which
    /// the template gives to every consumer, it does nothing.
    pub(super) async fn hide(&self, function: &'static str, failed: &[FailedMessage]) {
        let Some(queue_url) = self.environment.get("QUEUE_URL") else {
            return;
        };
        let hidden = tokio::time::timeout(HIDE_TIMEOUT, self.change(queue_url, failed)).await;
        let error = match hidden {
            Ok(Ok(0)) => return,
            Ok(Ok(refused)) => format!("{refused} refused"),
            Ok(Err(error)) => log::error_chain(error.as_ref()),
            Err(_) => "no answer in time".to_owned(),
        };
        Dependency::Sqs.failed();
        tracing::warn!(function, error, "failed messages not hidden");
    }

    /// Returns how many SQS refused to hide.
    async fn change(&self, queue_url: &str, failed: &[FailedMessage]) -> Result<usize, Error> {
        let client = match self.client.get() {
            Some(client) => client,
            None => {
                let client = Aws::from_environment(&self.environment)?.sqs();
                self.client.get_or_init(|| client)
            }
        };
        let entries: Result<Vec<_>, _> = failed
            .iter()
            .enumerate()
            .map(|(index, message)| {
                let wait = wait(message.receives, message.prospect, |most| {
                    self.environment.host().random().jitter(most)
                });
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(&message.receipt)
                    .visibility_timeout(whole_seconds(wait))
                    .build()
            })
            .collect();
        let output = client
            .change_message_visibility_batch()
            .queue_url(queue_url)
            .set_entries(Some(entries?))
            .send()
            .await?;
        Ok(output.failed.len())
    }
}

/// How long a message waits that has been received so often: between half and
/// all of a time that doubles. The half is certain, so that all tries together
/// last for a known time; the rest is chance, so that messages that failed
/// together do not come together again.
fn wait(receives: u32, prospect: Prospect, jitter: impl FnOnce(Duration) -> Duration) -> Duration {
    match prospect {
        Prospect::Never => WAIT_HOPELESS,
        Prospect::Later => {
            let most = wait_max(receives);
            most / 2 + jitter(most / 2)
        }
    }
}

fn wait_max(receives: u32) -> Duration {
    let doubled = 1_u32.checked_shl(receives.saturating_sub(1));
    WAIT_FIRST
        .saturating_mul(doubled.unwrap_or(u32::MAX))
        .min(WAIT_MAX)
}

/// SQS hides messages for whole seconds; rounded up, because none at all would
/// be a loop.
fn whole_seconds(wait: Duration) -> i32 {
    let seconds = wait.as_millis().div_ceil(1_000);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in the template (`maxReceiveCount`), where `make lint-template` compares it.
    const RECEIVES_MAX: u32 = 60;
    /// Half of what a queue retains: a message that waited before its first try
    /// still gets all its tries.
    const RETENTION_HALF: Duration = Duration::from_hours(48);

    #[test]
    fn the_tries_of_a_message_outlast_an_outage_of_six_hours_and_end_long_before_retention() {
        let waits = |jitter: fn(Duration) -> Duration| -> Duration {
            let waits = (1..RECEIVES_MAX).map(|receives| wait(receives, Prospect::Later, jitter));
            waits.sum()
        };
        let (shortest, longest) = (waits(|_| Duration::ZERO), waits(|most| most));
        assert!(shortest > Duration::from_hours(6), "{shortest:?}");
        assert!(longest < RETENTION_HALF, "{longest:?}");
    }

    #[test]
    fn waits_double_from_seconds_to_a_quarter_of_an_hour() {
        let most = [1, 2, 3, 9, 10, 11, 60, u32::MAX].map(|receives| wait_max(receives).as_secs());
        assert_eq!(most, [2, 4, 8, 512, 900, 900, 900, 900]);
    }

    #[test]
    fn a_message_that_no_repetition_helps_uses_up_its_receives_within_minutes() {
        let waits = (1..RECEIVES_MAX).map(|n| wait(n, Prospect::Never, |most| most));
        assert!(waits.sum::<Duration>() < Duration::from_mins(5));
    }

    #[test]
    fn seconds_are_rounded_up() {
        let seconds = [1, 1_000, 1_001].map(|ms| whole_seconds(Duration::from_millis(ms)));
        assert_eq!(seconds, [1, 1, 2]);
    }
}
