//! The shell of queue consumers. It takes a batch from SQS, hands each event
//! to the consumer, and reports those that failed, so that only they come
//! again (`ReportBatchItemFailures`).

use std::{future::Future, sync::Arc};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use contracts::Envelope;
use futures_util::{FutureExt, future::join_all};
use lambda_runtime::LambdaEvent;
use serde_json::value::{RawValue, to_raw_value};

use crate::{BoxFuture, Environment, Error, Function, Grant, Handler, Stopwatch, Trigger, log};

/// Handles one event; boxed, so that the shell is compiled once.
type HandleEvent = Arc<dyn Fn(Envelope) -> BoxFuture<Result<(), Error>> + Send + Sync>;

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
    Function::build(name, Trigger::Queue, grants, start, move |app, _| {
        Ok(handler(
            name,
            Arc::new(move |event| Box::pin(handle(app.clone(), event))),
        ))
    })
}

fn handler(name: &'static str, handle: HandleEvent) -> Handler {
    Arc::new(move |batch| Box::pin(consume(name, handle.clone(), batch)))
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
        join_all(records.map(|message| consume_message(function, request_id, &handle, message)))
            .await;
    let mut reply = SqsBatchResponse::default();
    for message_id in outcomes.into_iter().flatten() {
        // An item without its id would mean that the whole batch failed.
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = message_id;
        reply.batch_item_failures.push(failure);
    }
    Ok(to_raw_value(&reply)?)
}

/// Handles one message; returns its id if it failed.
async fn consume_message(
    function: &'static str,
    request_id: &str,
    handle: &HandleEvent,
    message: SqsMessage,
) -> Option<String> {
    let stopwatch = Stopwatch::start();
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
    let (client_request_id, client_correlation_id) = (
        event.clientrequestid.clone(),
        event.clientcorrelationid.clone(),
    );
    let outcome = std::panic::AssertUnwindSafe(handle(event))
        .catch_unwind()
        .await;
    let duration_ms = stopwatch.elapsed_ms();
    let error = match outcome {
        Ok(Ok(())) => {
            tracing::info!(
                function, request_id, event_type, %event_id, subject, correlation_id,
                client_request_id, client_correlation_id, duration_ms, "event handled"
            );
            return None;
        }
        Ok(Err(error)) => log::error_chain(error.as_ref()),
        Err(_) => "panicked".to_owned(),
    };
    tracing::error!(
        function, request_id, event_type, %event_id, subject, correlation_id,
        client_request_id, client_correlation_id, duration_ms, error, "event failed"
    );
    Some(message_id)
}
