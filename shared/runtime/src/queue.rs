//! The shell of queue consumers. It takes a batch from SQS, hands each event
//! to the consumer, and reports those that failed, so that only they come
//! again (`ReportBatchItemFailures`).

use std::{future::Future, sync::Arc, time::Instant};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use contracts::Envelope;
use futures_util::{FutureExt, future::join_all};
use lambda_runtime::LambdaEvent;
use serde_json::value::{RawValue, to_raw_value};

use crate::{BoxFuture, Environment, Error, Function, Grant, Handler, Trigger, log};

/// Handles one event; boxed, so that the shell is compiled once.
type HandleEvent = Arc<dyn Fn(Envelope) -> BoxFuture<Result<(), Error>> + Send + Sync>;

/// A function that consumes events from its queue. `handle` must expect each
/// event more than once and in any order.
pub fn consumer<S, Start, Starting, Handle, Handling>(
    name: &'static str,
    grants: &'static [Grant],
    start: Start,
    handle: Handle,
) -> Function
where
    S: Send + Sync + 'static,
    Start: Fn(Environment) -> Starting + Send + Sync + 'static,
    Starting: Future<Output = Result<S, Error>> + Send + 'static,
    Handle: Fn(Arc<S>, Envelope) -> Handling + Copy + Send + Sync + 'static,
    Handling: Future<Output = Result<(), Error>> + Send + 'static,
{
    Function::new(name, Trigger::Queue, grants, move |environment| {
        let starting = start(environment);
        async move {
            let app = Arc::new(starting.await?);
            let handle: HandleEvent = Arc::new(move |event| Box::pin(handle(app.clone(), event)));
            let handler: Handler =
                Arc::new(move |batch| Box::pin(consume(name, handle.clone(), batch)));
            Ok(handler)
        }
    })
}

async fn consume(
    function: &'static str,
    handle: HandleEvent,
    batch: LambdaEvent<Box<RawValue>>,
) -> Result<Box<RawValue>, Error> {
    let event: SqsEvent = serde_json::from_str(batch.payload.get())?;
    let request_id = batch.context.request_id.as_str();
    let records = event.records.into_iter();
    let outcomes =
        join_all(records.map(|message| one(function, request_id, &handle, message))).await;
    let mut reply = SqsBatchResponse::default();
    for message_id in outcomes.into_iter().flatten() {
        // An item without its id would mean that the whole batch failed.
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = message_id;
        reply.batch_item_failures.push(failure);
    }
    Ok(to_raw_value(&reply)?)
}

/// Handles one message; gives its id back when it failed.
async fn one(
    function: &'static str,
    request_id: &str,
    handle: &HandleEvent,
    message: SqsMessage,
) -> Option<String> {
    let started = Instant::now();
    let message_id = message.message_id.unwrap_or_default();
    let body = message.body.unwrap_or_default();
    let event: Envelope = match serde_json::from_str(&body) {
        Ok(event) => event,
        Err(error) => {
            tracing::error!(function, request_id, message_id, error = %error, "message is not an event");
            return Some(message_id);
        }
    };
    let (event_type, event_id, subject) =
        (event.event_type.clone(), event.id, event.subject.clone());
    let correlation_id = event.correlationid.clone();
    let outcome = std::panic::AssertUnwindSafe(handle(event))
        .catch_unwind()
        .await;
    let duration_ms = log::millis(started);
    let error = match outcome {
        Ok(Ok(())) => {
            tracing::info!(
                function, request_id, event_type, %event_id, subject, correlation_id, duration_ms,
                "event handled"
            );
            return None;
        }
        Ok(Err(error)) => log::chain(error.as_ref()),
        Err(_) => "panicked".to_owned(),
    };
    tracing::error!(
        function, request_id, event_type, %event_id, subject, correlation_id, duration_ms, error,
        "event failed"
    );
    Some(message_id)
}
