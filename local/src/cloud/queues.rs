//! Embedded SQS.

use std::{collections::HashMap, sync::Arc};

use rustack_sqs_core::{config::SqsConfig, handler::RustackSqsHandler, provider::RustackSqs};
use rustack_sqs_http::service::{SqsHttpConfig, SqsHttpService};
use rustack_sqs_model::{
    error::SqsError,
    input::{
        CreateQueueInput, DeleteMessageInput, GetQueueAttributesInput, ReceiveMessageInput,
        SendMessageInput,
    },
    types::Message,
};
use serde::Serialize;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{CloudError, StopSignal, serve};
use crate::template::{self, names};

/// The most messages that SQS returns at once.
pub(crate) const RECEIVE_MAX: usize = 10;

/// All queues.
pub(crate) struct Queues {
    sqs: Arc<RustackSqs>,
}

/// The number of messages in a queue, by state.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueueDepth {
    /// Available to be received.
    pub(crate) waiting: u64,
    /// Received and not yet deleted.
    pub(crate) in_flight: u64,
    /// Not available before their delay has passed.
    pub(crate) delayed: u64,
}

impl Queues {
    pub(crate) async fn create(queues: &[template::Queue]) -> Result<Self, CloudError> {
        let config = SqsConfig {
            default_region: names::REGION.to_owned(),
            account_id: names::ACCOUNT.to_owned(),
            ..SqsConfig::default()
        };
        let sqs = Arc::new(RustackSqs::new(config));
        for queue in queues {
            let attributes = queue.attributes.clone().into_iter().collect();
            let input = CreateQueueInput {
                queue_name: queue.name.clone(),
                attributes,
                tags: HashMap::new(),
            };
            sqs.create_queue(input)
                .await
                .map_err(|error| CloudError::rejected(&queue.logical_id, error))?;
        }
        Ok(Self { sqs })
    }

    pub(crate) fn serve(&self, listener: TcpListener, stop: StopSignal) -> JoinHandle<()> {
        let handler = Arc::new(RustackSqsHandler::new(self.sqs.clone()));
        let config = SqsHttpConfig {
            region: names::REGION.to_owned(),
            ..SqsHttpConfig::default()
        };
        serve(listener, SqsHttpService::new(handler, config), stop)
    }

    /// Receives up to ten messages, waiting up to `wait_seconds` for the first.
    pub(crate) async fn receive(
        &self,
        url: &str,
        messages_max: usize,
        wait_seconds: i32,
    ) -> Result<Vec<Message>, SqsError> {
        let input = ReceiveMessageInput {
            queue_url: url.to_owned(),
            max_number_of_messages: i32::try_from(messages_max.min(RECEIVE_MAX)).ok(),
            wait_time_seconds: Some(wait_seconds),
            message_system_attribute_names: vec!["All".to_owned()],
            message_attribute_names: vec!["All".to_owned()],
            ..ReceiveMessageInput::default()
        };
        Ok(self.sqs.receive_message(input).await?.messages)
    }

    pub(crate) async fn delete(&self, url: &str, receipt_handle: &str) -> Result<(), SqsError> {
        let input = DeleteMessageInput {
            queue_url: url.to_owned(),
            receipt_handle: receipt_handle.to_owned(),
        };
        self.sqs.delete_message(input).await.map(|_| ())
    }

    pub(crate) async fn send(&self, url: &str, body: &str) -> Result<(), SqsError> {
        let input = SendMessageInput {
            queue_url: url.to_owned(),
            message_body: body.to_owned(),
            ..SendMessageInput::default()
        };
        self.sqs.send_message(input).await.map(|_| ())
    }

    pub(crate) async fn depth(&self, url: &str) -> Result<QueueDepth, SqsError> {
        let input = GetQueueAttributesInput {
            queue_url: url.to_owned(),
            attribute_names: vec!["All".to_owned()],
        };
        let attributes = self.sqs.get_queue_attributes(input).await?.attributes;
        let number = |name: &str| {
            attributes
                .get(name)
                .and_then(|value| value.parse().ok())
                .unwrap_or_default()
        };
        Ok(QueueDepth {
            waiting: number("ApproximateNumberOfMessages"),
            in_flight: number("ApproximateNumberOfMessagesNotVisible"),
            delayed: number("ApproximateNumberOfMessagesDelayed"),
        })
    }

    pub(crate) async fn stop(&self) {
        self.sqs.shutdown_all().await;
    }
}
