//! Two healthy tables, a topic and a queue, and the functions that check them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use testkit::{Client, StubReply, StubServer, TestTable};

pub(crate) const TOPIC: &str = "<GetTopicAttributesResponse><GetTopicAttributesResult><Attributes>\
    </Attributes></GetTopicAttributesResult></GetTopicAttributesResponse>";
const NO_TOPIC: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code>\
    <Message>Topic arn:aws:sns:eu-central-1:1:emporium does not exist</Message></Error></ErrorResponse>";
pub(crate) const QUEUE: &str = r#"{"Attributes":{"QueueArn":"arn"}}"#;

pub(crate) struct TestEdge {
    pub(crate) table: TestTable,
    /// Has every topic whose ARN does not contain `missing`.
    pub(crate) sns: StubServer,
    pub(crate) sqs: StubServer,
    /// Whether the queue replies at all.
    pub(crate) sqs_replies: Arc<AtomicBool>,
}

impl TestEdge {
    pub(crate) async fn new() -> Self {
        let sns = StubServer::start(|body, _| {
            if body.contains("missing") {
                StubReply::Reply(404, NO_TOPIC.into())
            } else {
                StubReply::Reply(200, TOPIC.into())
            }
        });
        let sqs_replies = Arc::new(AtomicBool::new(true));
        let replies = sqs_replies.clone();
        let sqs = StubServer::start(move |_, _| {
            if replies.load(Ordering::SeqCst) {
                StubReply::Reply(200, QUEUE.into())
            } else {
                StubReply::Silence
            }
        });
        let (sns, sqs) = (sns.await, sqs.await);
        let schema = dynamo::TableSchema { indexes: &[] };
        let mut table = TestTable::create_at(&schema, "2026-11-21T10:00:00Z").await;
        let queue = format!("deliver-email={}/1/emporium-deliver", sqs.url);
        for (name, value) in [
            ("AWS_ENDPOINT_URL_SNS", &*sns.url),
            ("AWS_ENDPOINT_URL_SQS", &sqs.url),
            ("SERVICE", "edge"),
            ("HEALTH_TABLES", "users=test,orders=test"),
            (
                "HEALTH_TOPICS",
                "orders=arn:aws:sns:eu-central-1:1:emporium-orders",
            ),
            ("HEALTH_QUEUES", &queue),
        ] {
            table.set(name, value);
        }
        Self {
            table,
            sns,
            sqs,
            sqs_replies,
        }
    }

    /// A client of `health` and of no other function, started with the variables
    /// that are set now.
    pub(crate) async fn health(&self) -> Client {
        let function = edge::api::health::function();
        Client::new(self.table.start(&function).await)
    }
}
