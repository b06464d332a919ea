//! SQS event source mappings. Messages that succeeded are deleted; retries,
//! visibility and dead-lettering are up to the queue.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustack_sqs_model::types::Message;
use serde_json::{Map, Value, json, value::to_raw_value};
use tokio::{sync::Semaphore, task::JoinHandle, time::Instant};

use super::batch::{BatchResult, batch_result};
use crate::{
    cloud::{Queues, StopSignal},
    functions::Running,
    template::{Queue, QueueEvent, names},
};

/// Lambda's initial number of concurrent batches.
const CONCURRENCY_DEFAULT: usize = 5;
/// SQS's limit for long polling.
const WAIT_SECONDS: i32 = 20;
/// The pause after an error of the queue itself.
const ERROR_PAUSE: Duration = Duration::from_secs(1);
/// The pause between polls while a batch is being gathered.
const GATHER_PAUSE: Duration = Duration::from_millis(50);

/// One mapping.
pub(crate) struct QueueTrigger {
    pub(crate) event: QueueEvent,
    pub(crate) queue: Queue,
    pub(crate) function: Arc<Running>,
    pub(crate) queues: Arc<Queues>,
}

impl QueueTrigger {
    /// Runs until it is told to stop.
    pub(crate) fn start(self, stop: StopSignal) -> JoinHandle<()> {
        let trigger = Arc::new(self);
        tokio::spawn(async move {
            let permits = Arc::new(Semaphore::new(
                trigger.event.concurrency.unwrap_or(CONCURRENCY_DEFAULT),
            ));
            let mut stopping = std::pin::pin!(stop.wait());
            loop {
                let permit = permits.clone().acquire_owned();
                let work = async { (permit.await, trigger.gather().await) };
                let (permit, messages) = tokio::select! {
                    work = work => work,
                    () = &mut stopping => return,
                };
                if messages.is_empty() {
                    continue;
                }
                let trigger = trigger.clone();
                tokio::spawn(async move {
                    trigger.deliver(messages).await;
                    drop(permit);
                });
            }
        })
    }

    /// The next batch; empty if no message has arrived for a while.
    async fn gather(&self) -> Vec<Message> {
        let size_max = self.event.batch_size;
        let mut messages = self.receive(size_max, WAIT_SECONDS).await;
        if messages.is_empty() || self.event.window.is_zero() {
            return messages;
        }
        let deadline = Instant::now() + self.event.window;
        while messages.len() < size_max && Instant::now() < deadline {
            let more = self.receive(size_max - messages.len(), 0).await;
            if more.is_empty() {
                tokio::time::sleep(GATHER_PAUSE).await;
            }
            messages.extend(more);
        }
        messages
    }

    async fn receive(&self, messages_max: usize, wait_seconds: i32) -> Vec<Message> {
        match self
            .queues
            .receive(&self.queue.url(), messages_max, wait_seconds)
            .await
        {
            Ok(messages) => messages,
            Err(error) => {
                tracing::error!(queue = self.queue.name, %error, "cannot receive messages");
                tokio::time::sleep(ERROR_PAUSE).await;
                Vec::new()
            }
        }
    }

    async fn deliver(&self, messages: Vec<Message>) {
        let event = json!({"Records": messages.iter().map(|message| record(message, &self.queue)).collect::<Vec<_>>()});
        let Ok(payload) = to_raw_value(&event) else {
            return;
        };
        // If the function fails, so does every message.
        let Ok(reply) = self.function.invoke(payload).await else {
            return;
        };
        let ids = messages
            .iter()
            .map(|message| message.message_id.as_deref().unwrap_or_default());
        let failed = match batch_result(reply.get(), self.event.report_failures, ids) {
            BatchResult::Failed => return,
            BatchResult::Succeeded => BTreeSet::default(),
            BatchResult::FailedItems(failed) => failed,
        };
        for message in &messages {
            let id = message.message_id.as_deref().unwrap_or_default();
            if failed.contains(id) {
                continue;
            }
            let receipt = message.receipt_handle.as_deref().unwrap_or_default();
            if let Err(error) = self.queues.delete(&self.queue.url(), receipt).await {
                // It will be delivered again, which consumers must expect anyway.
                tracing::warn!(queue = self.queue.name, message_id = id, %error, "cannot delete a processed message");
            }
        }
    }
}

/// A message in Lambda's event format.
fn record(message: &Message, queue: &Queue) -> Value {
    let attributes: Map<String, Value> = message
        .message_attributes
        .iter()
        .map(|(name, attribute)| {
            let mut value = json!({
                "dataType": attribute.data_type,
                "stringListValues": [],
                "binaryListValues": [],
            });
            if let Some(text) = &attribute.string_value {
                value["stringValue"] = text.as_str().into();
            }
            if let Some(bytes) = &attribute.binary_value {
                value["binaryValue"] = STANDARD.encode(bytes).into();
            }
            (name.clone(), value)
        })
        .collect();
    json!({
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": message.attributes,
        "messageAttributes": attributes,
        "md5OfMessageAttributes": message.md5_of_message_attributes,
        "md5OfBody": message.md5_of_body,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.arn(),
        "awsRegion": names::REGION,
    })
}
