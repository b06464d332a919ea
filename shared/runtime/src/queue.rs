//! The shell of queue consumers. It takes a batch from SQS, hands each event
//! to the consumer, and reports those that failed, so that only they come
//! again (`ReportBatchItemFailures`), later each time (`retries.rs`).
//!
//! A message has what is left of the invocation, less a margin: one that hangs
//! fails alone, and the others of its batch are done.

mod retries;

use std::{error::Error as StdError, future::Future, sync::Arc, time::Duration};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use contracts::{Envelope, ReadEventError};
use futures_util::{FutureExt, future::join_all};
use lambda_runtime::LambdaEvent;
use serde_json::value::{RawValue, to_raw_value};

use self::retries::{FailedMessage, Prospect, Retries};
use crate::{
    BoxFuture, Clock, Environment, Error, Function, Grant, Handler, Stopwatch, Trigger, log,
    metrics::FAILING_FOR,
};

/// What a message leaves of its invocation: time to hide the messages that
/// failed, to reply, and to write metrics, with something to spare.
const REPLY_MARGIN: Duration = Duration::from_secs(2);
/// The time of an invocation that does not say when it ends, as in tests: the
/// timeout that the template gives to consumers.
const INVOCATION_DEFAULT: Duration = Duration::from_secs(10);

/// Handles one event; boxed, so that the shell is compiled once.
type HandleEvent = Box<dyn Fn(Envelope) -> BoxFuture<Result<(), Error>> + Send + Sync>;

/// A consumer that has been started.
struct Consumer {
    name: &'static str,
    handle: HandleEvent,
    retries: Retries,
    clock: Clock,
}

/// A function that consumes events from its queue. `handle` must expect each
/// event more than once and in any order.
pub fn consumer<App, Starting, Handling>(
    name: &'static str,
    grants: &'static [Grant],
    start: impl Fn(Environment) -> Starting + Send + Sync + 'static,
    handle: impl Fn(Arc<App>, Envelope) -> Handling + Copy + Send + Sync + 'static,
) -> Function
where
    App: Send + Sync + 'static,
    Starting: Future<Output = Result<App, Error>> + Send + 'static,
    Handling: Future<Output = Result<(), Error>> + Send + 'static,
{
    Function::build(
        name,
        Trigger::Queue,
        grants,
        start,
        move |app, environment| {
            Ok(handler(Arc::new(Consumer {
                name,
                handle: Box::new(move |event| Box::pin(handle(app.clone(), event))),
                retries: Retries::new(environment),
                clock: environment.host().clock().clone(),
            })))
        },
    )
}

fn handler(consumer: Arc<Consumer>) -> Handler {
    Arc::new(move |batch| {
        let consumer = consumer.clone();
        Box::pin(async move { consumer.consume(batch).await })
    })
}

impl Consumer {
    async fn consume(&self, batch: LambdaEvent<Box<RawValue>>) -> Result<Box<RawValue>, Error> {
        let time = self.time_of_a_message(batch.context.deadline);
        let event: SqsEvent = serde_json::from_str(batch.payload.get())?;
        let request_id = batch.context.request_id.as_str();
        let messages = event.records.iter();
        let messages = messages.map(|message| self.consume_message(request_id, message, time));
        let failed: Vec<FailedMessage> = join_all(messages).await.into_iter().flatten().collect();
        let now = self.clock.now();
        if let Some(oldest) = failed.iter().map(|message| message.age_seconds(now)).max() {
            FAILING_FOR.set(&[], f64::from(oldest));
            self.retries.hide(self.name, &failed).await;
        }
        let mut reply = SqsBatchResponse::default();
        for message in failed {
            // An item without its id would mean that the whole batch failed.
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = message.id;
            reply.batch_item_failures.push(failure);
        }
        Ok(to_raw_value(&reply)?)
    }

    /// What a message may take, in an invocation that ends at `deadline_ms`.
    fn time_of_a_message(&self, deadline_ms: u64) -> Duration {
        let now_ms = u64::try_from(self.clock.now().as_millisecond()).unwrap_or_default();
        let left = match deadline_ms {
            0 => INVOCATION_DEFAULT,
            deadline_ms => Duration::from_millis(deadline_ms.saturating_sub(now_ms)),
        };
        left.saturating_sub(REPLY_MARGIN)
    }

    /// Handles one message; returns it if it failed.
    async fn consume_message(
        &self,
        request_id: &str,
        message: &SqsMessage,
        time: Duration,
    ) -> Option<FailedMessage> {
        let (function, stopwatch) = (self.name, Stopwatch::start());
        let body = message.body.as_deref().unwrap_or_default();
        let event: Envelope = match serde_json::from_str(body) {
            Ok(event) => event,
            Err(error) => {
                let message_id = message.message_id.as_deref();
                tracing::error!(function, request_id, message_id, error = %error, "message is not an event");
                return Some(FailedMessage::new(message, Prospect::Never));
            }
        };
        let (event_type, event_id, subject) =
            (event.event_type.clone(), event.id, event.subject.clone());
        let correlation_id = event.correlationid.clone();
        let (client_request_id, client_correlation_id) = (
            event.clientrequestid.clone(),
            event.clientcorrelationid.clone(),
        );
        let handling = std::panic::AssertUnwindSafe((self.handle)(event)).catch_unwind();
        let outcome = tokio::time::timeout(time, handling).await;
        let duration_ms = stopwatch.elapsed_ms();
        let (error, prospect) = match outcome {
            Ok(Ok(Ok(()))) => {
                tracing::info!(
                    function, request_id, event_type, %event_id, subject, correlation_id,
                    client_request_id, client_correlation_id, duration_ms, "event handled"
                );
                return None;
            }
            Ok(Ok(Err(error))) => (log::error_chain(error.as_ref()), prospect(error.as_ref())),
            Ok(Err(_)) => ("panicked".to_owned(), Prospect::Later),
            Err(_) => ("not done in time".to_owned(), Prospect::Later),
        };
        tracing::error!(
            function, request_id, event_type, %event_id, subject, correlation_id,
            client_request_id, client_correlation_id, duration_ms, error, "event failed"
        );
        Some(FailedMessage::new(message, prospect))
    }
}

/// Whether a repetition may succeed: not if the error, or what led to it, is that
/// the event cannot be read. Everything else may pass.
fn prospect(error: &(dyn StdError + 'static)) -> Prospect {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<ReadEventError>() {
            return Prospect::Never;
        }
        cause = error.source();
    }
    Prospect::Later
}
