//! SQS event source mappings. Tries, hiding and the dead-letter queue are the
//! queue's affair; here, what is done is deleted and the rest is left alone.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustack_sqs_model::types::Message;
use serde_json::{Map, Value, json, value::to_raw_value};
use tokio::{sync::Semaphore, task::JoinHandle, time::Instant};

use super::batch::{Verdict, verdict};
use crate::{
    cloud::{Queues, Stop},
    functions::Running,
    template::{Queue, QueueEvent, names},
};

/// How many batches Lambda works on at once before it scales up.
const CONCURRENCY_DEFAULT: usize = 5;
/// SQS waits at most this long for a message.
const WAIT_SECONDS: i32 = 20;
/// After an error of the queue itself.
const ERROR_PAUSE: Duration = Duration::from_secs(1);
/// Between looks while a batch is being gathered.
const GATHER_PAUSE: Duration = Duration::from_millis(50);

/// One mapping.
pub(crate) struct QueueTrigger {
    pub(crate) event: QueueEvent,
    pub(crate) queue: Queue,
    pub(crate) function: Arc<Running>,
    pub(crate) queues: Arc<Queues>,
}

impl QueueTrigger {
    /// Works until it is time to stop.
    pub(crate) fn start(self, stop: Stop) -> JoinHandle<()> {
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

    /// The next batch; none when there was nothing for a while.
    async fn gather(&self) -> Vec<Message> {
        let most = self.event.batch_size;
        let mut messages = self.receive(most, WAIT_SECONDS).await;
        if messages.is_empty() || self.event.window.is_zero() {
            return messages;
        }
        let until = Instant::now() + self.event.window;
        while messages.len() < most && Instant::now() < until {
            let more = self.receive(most - messages.len(), 0).await;
            if more.is_empty() {
                tokio::time::sleep(GATHER_PAUSE).await;
            }
            messages.extend(more);
        }
        messages
    }

    async fn receive(&self, most: usize, wait_seconds: i32) -> Vec<Message> {
        match self
            .queues
            .receive(&self.queue.url(), most, wait_seconds)
            .await
        {
            Ok(messages) => messages,
            Err(error) => {
                tracing::error!(queue = self.queue.name, %error, "cannot receive");
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
        // A function that fails as a whole has failed with each message.
        let Ok(reply) = self.function.invoke(payload).await else {
            return;
        };
        let ids = messages
            .iter()
            .map(|message| message.message_id.as_deref().unwrap_or_default());
        let failed = match verdict(reply.get(), self.event.report_failures, ids) {
            Verdict::Failed => return,
            Verdict::Done => Default::default(),
            Verdict::Except(failed) => failed,
        };
        for message in &messages {
            let id = message.message_id.as_deref().unwrap_or_default();
            if failed.contains(id) {
                continue;
            }
            let receipt = message.receipt_handle.as_deref().unwrap_or_default();
            if let Err(error) = self.queues.delete(&self.queue.url(), receipt).await {
                // It comes again, which consumers must expect anyway.
                tracing::warn!(queue = self.queue.name, message_id = id, %error, "a message that is done could not be deleted");
            }
        }
    }
}

/// A message as Lambda hands it on.
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
