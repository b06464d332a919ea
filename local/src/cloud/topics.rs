//! Embedded SNS, and its deliveries to queues.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use rustack_sns_core::{
    config::SnsConfig,
    handler::RustackSnsHandler,
    provider::RustackSns,
    publisher::{DeliveryError, SqsPublisher},
};
use rustack_sns_http::{
    body::SnsResponseBody,
    dispatch::SnsHandler,
    request::parse_form_params,
    service::{SnsHttpConfig, SnsHttpService},
};
use rustack_sns_model::{
    error::SnsError,
    input::{CreateTopicInput, PublishInput, SubscribeInput},
    operations::SnsOperation,
};
use serde::Serialize;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{CloudError, Queues, StopSignal, serve};
use crate::{
    clock,
    template::{Template, names},
};

/// How many events are kept for the dashboard.
const PUBLISHED_KEPT: usize = 200;

/// All topics.
pub(crate) struct Topics {
    sns: Arc<RustackSns>,
    published: Arc<PublishedLog>,
}

/// A published event.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Published {
    topic: String,
    at: String,
    #[serde(rename = "type")]
    event_type: Option<String>,
    id: Option<String>,
    subject: Option<String>,
    time: Option<String>,
    correlation_id: Option<String>,
}

/// The latest events, and the number of lost deliveries.
#[derive(Default)]
struct PublishedLog {
    events: Mutex<VecDeque<Published>>,
    undelivered: Mutex<u64>,
}

impl Topics {
    pub(crate) fn create(template: &Template, queues: Arc<Queues>) -> Result<Self, CloudError> {
        let published = Arc::new(PublishedLog::default());
        let mut queue_urls = BTreeMap::new();
        let mut dead_letters = BTreeMap::new();
        let queue = |logical_id: &str| {
            template
                .queues
                .iter()
                .find(|queue| queue.logical_id == logical_id)
        };
        for subscription in &template.subscriptions {
            let Some(target) = queue(&subscription.queue) else {
                continue;
            };
            queue_urls.insert(target.arn(), target.url());
            if let Some(dead) = subscription.dead_letter_queue.as_deref().and_then(queue) {
                dead_letters.insert(target.arn(), dead.url());
            }
        }
        let bridge = SqsBridge {
            queues,
            queue_urls,
            dead_letters,
            log: published.clone(),
        };
        let config = SnsConfig {
            default_region: names::REGION.to_owned(),
            account_id: names::ACCOUNT.to_owned(),
            ..SnsConfig::default()
        };
        let sns = Arc::new(RustackSns::new(config, Arc::new(bridge)));
        for topic in &template.topics {
            sns.create_topic(CreateTopicInput {
                name: topic.name.clone(),
                ..CreateTopicInput::default()
            })
            .map_err(|error| CloudError::rejected(&topic.logical_id, error))?;
        }
        for subscription in &template.subscriptions {
            let rejected = |reason: String| CloudError::rejected(&subscription.logical_id, reason);
            let topic = template
                .topics
                .iter()
                .find(|topic| topic.logical_id == subscription.topic);
            let (Some(topic), Some(queue)) = (topic, queue(&subscription.queue)) else {
                return Err(rejected(
                    "a condition excludes its topic or queue".to_owned(),
                ));
            };
            sns.subscribe(SubscribeInput {
                topic_arn: topic.arn(),
                protocol: "sqs".to_owned(),
                endpoint: Some(queue.arn()),
                attributes: subscription.attributes.clone().into_iter().collect(),
                return_subscription_arn: true,
            })
            .map_err(|error| rejected(error.to_string()))?;
        }
        Ok(Self { sns, published })
    }

    pub(crate) fn serve(&self, listener: TcpListener, stop: StopSignal) -> JoinHandle<()> {
        let handler = RecordingHandler {
            inner: RustackSnsHandler::new(self.sns.clone()),
            log: self.published.clone(),
        };
        let config = SnsHttpConfig {
            region: names::REGION.to_owned(),
            ..SnsHttpConfig::default()
        };
        serve(
            listener,
            SnsHttpService::new(Arc::new(handler), config),
            stop,
        )
    }

    pub(crate) async fn publish(&self, topic_arn: &str, message: &str) -> Result<(), SnsError> {
        let input = PublishInput {
            topic_arn: Some(topic_arn.to_owned()),
            message: message.to_owned(),
            ..PublishInput::default()
        };
        self.sns.publish(input).await.map(|_| ())
    }

    /// The latest events, newest first.
    pub(crate) fn latest(&self) -> Vec<Published> {
        self.published
            .events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .rev()
            .cloned()
            .collect()
    }

    /// The number of messages that neither the queue nor a dead-letter queue accepted.
    pub(crate) fn undelivered(&self) -> u64 {
        *self
            .published
            .undelivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Delivers messages from topics to queues. If a queue rejects a message, the
/// embedded SNS only logs it and still replies 200 to the publisher, as SNS
/// does. A rejected message therefore goes to the subscription's dead-letter
/// queue; without one it is logged and counted as lost.
struct SqsBridge {
    queues: Arc<Queues>,
    /// Queue URLs by ARN.
    queue_urls: BTreeMap<String, String>,
    /// URLs of the subscriptions' dead-letter queues, by the ARN of the queue.
    dead_letters: BTreeMap<String, String>,
    log: Arc<PublishedLog>,
}

#[async_trait]
impl SqsPublisher for SqsBridge {
    fn validate(&self, queue_arn: &str) -> Result<(), DeliveryError> {
        match self.queue_urls.contains_key(queue_arn) {
            true => Ok(()),
            false => Err(DeliveryError::Unsupported(format!(
                "{queue_arn} is not subscribed in the template"
            ))),
        }
    }

    async fn send_message(
        &self,
        queue_arn: &str,
        message_body: &str,
        _group_id: Option<&str>,
        _deduplication_id: Option<&str>,
    ) -> Result<(), DeliveryError> {
        self.validate(queue_arn)?;
        let url = self
            .queue_urls
            .get(queue_arn)
            .map(String::as_str)
            .unwrap_or_default();
        let Err(rejection) = self.queues.send(url, message_body).await else {
            return Ok(());
        };
        if let Some(dead) = self.dead_letters.get(queue_arn)
            && self.queues.send(dead, message_body).await.is_ok()
        {
            tracing::error!(queue_arn, error = %rejection, "delivery rejected, message sent to the dead-letter queue");
            return Ok(());
        }
        *self
            .log
            .undelivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner) += 1;
        tracing::error!(queue_arn, error = %rejection, "delivery rejected, message lost");
        Err(DeliveryError::SqsDeliveryFailed {
            queue_arn: queue_arn.to_owned(),
            reason: rejection.to_string(),
        })
    }
}

/// Records what is published.
struct RecordingHandler {
    inner: RustackSnsHandler,
    log: Arc<PublishedLog>,
}

impl SnsHandler for RecordingHandler {
    fn handle_operation(
        &self,
        op: SnsOperation,
        body: Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<http::Response<SnsResponseBody>, SnsError>> + Send>>
    {
        if matches!(op, SnsOperation::Publish | SnsOperation::PublishBatch) {
            self.log.record(&body);
        }
        self.inner.handle_operation(op, body)
    }
}

impl PublishedLog {
    fn record(&self, form: &[u8]) {
        let parameters = parse_form_params(form);
        let topic = parameters
            .iter()
            .find(|(name, _)| name == "TopicArn")
            .and_then(|(_, arn)| arn.rsplit(':').next())
            .unwrap_or_default();
        let at = clock::now().to_string();
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, message) in parameters
            .iter()
            .filter(|(name, _)| name == "Message" || name.ends_with(".Message"))
        {
            let event: Value = serde_json::from_str(message).unwrap_or_default();
            let member = |name: &str| event.get(name).and_then(Value::as_str).map(str::to_owned);
            events.push_back(Published {
                topic: topic.to_owned(),
                at: at.clone(),
                event_type: member("type"),
                id: member("id"),
                subject: member("subject"),
                time: member("time"),
                correlation_id: member("correlationid"),
            });
        }
        while events.len() > PUBLISHED_KEPT {
            events.pop_front();
        }
    }
}
