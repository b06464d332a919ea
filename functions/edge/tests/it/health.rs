use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use edge::api::health::{self, Checker};
use kernel::SignedDuration;
use runtime::{
    Environment, Function,
    http::{Access, Endpoint},
};
use testkit::{
    StubReply, Client, Clock, RecordedMetrics, StubServer, Reply, TestTable,
    status::{OK, SERVICE_UNAVAILABLE},
};

const TOPIC: &str = "<GetTopicAttributesResponse><GetTopicAttributesResult><Attributes>\
    </Attributes></GetTopicAttributesResult></GetTopicAttributesResponse>";
const NO_TOPIC: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code>\
    <Message>Topic arn:aws:sns:eu-central-1:1:emporium does not exist</Message></Error></ErrorResponse>";

/// Two tables, a topic and a queue, of which the last two do as the test says.
pub(crate) struct Shop {
    table: TestTable,
    topics: StubServer,
    queues: StubServer,
    /// Whether the queue answers at all.
    queue_answers: Arc<AtomicBool>,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let topics = StubServer::start(|body, _| {
            if body.contains("gone") {
                StubReply::Reply(404, NO_TOPIC.into())
            } else {
                StubReply::Reply(200, TOPIC.into())
            }
        });
        let queue_answers = Arc::new(AtomicBool::new(true));
        let answers = queue_answers.clone();
        let queues = StubServer::start(move |_, _| {
            if answers.load(Ordering::SeqCst) {
                StubReply::Reply(200, r#"{"Attributes":{"QueueArn":"arn"}}"#.into())
            } else {
                StubReply::Silence
            }
        });
        let (topics, queues) = (topics.await, queues.await);
        let mut table = TestTable::create(&dynamo::TableSchema { indexes: &[] }).await;
        table.set("AWS_ENDPOINT_URL_SNS", &topics.url);
        table.set("AWS_ENDPOINT_URL_SQS", &queues.url);
        table.set("SERVICE", "edge");
        table.set("HEALTH_TABLES", "users=test,orders=test");
        table.set(
            "HEALTH_TOPICS",
            "orders=arn:aws:sns:eu-central-1:1:emporium-orders",
        );
        table.set(
            "HEALTH_QUEUES",
            &format!("deliver-email={}/1/emporium-deliver", queues.url),
        );
        Self {
            table,
            topics,
            queues,
            queue_answers,
        }
    }

    pub(crate) fn environment(&self) -> Environment {
        self.table.environment()
    }

    async fn client(&self) -> Client {
        self.client_at(Clock::System).await
    }

    async fn client_at(&self, clock: Clock) -> Client {
        let function: Function = Endpoint::new("health", Access::Public, &[])
            .get("/health", health::health)
            .start(move |environment| Checker::start_at(environment, clock.clone()));
        Client::new(self.table.start(&function).await)
    }
}

/// Name, kind and status of every check.
fn checks(reply: &Reply) -> Vec<(&str, &str, &str)> {
    let checks = reply.body["data"]["checks"].as_array().unwrap();
    checks
        .iter()
        .map(|check| {
            (
                check["name"].as_str().unwrap(),
                check["kind"].as_str().unwrap(),
                check["status"].as_str().unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_healthy_shop_lists_each_part_with_its_time() {
    let shop = Shop::open().await;
    let reply = shop.client().await.get("/health", OK).await;
    assert_eq!(reply.body["success"], true);
    let data = &reply.body["data"];
    assert_eq!(data["status"], "healthy");
    assert_eq!(data["service"], "edge");
    assert_eq!(data["version"], env!("CARGO_PKG_VERSION"));
    assert!(
        data["timestamp"]
            .as_str()
            .unwrap()
            .parse::<kernel::Timestamp>()
            .is_ok()
    );
    assert_eq!(
        checks(&reply),
        [
            ("users table", "table", "healthy"),
            ("orders table", "table", "healthy"),
            ("orders topic", "topic", "healthy"),
            ("deliver-email queue", "queue", "healthy"),
        ]
    );
    for check in data["checks"].as_array().unwrap() {
        assert!(check["responseTimeMs"].as_u64().unwrap() < 1000, "{check}");
    }
}

#[tokio::test]
async fn what_is_missing_makes_it_503_and_is_named_among_all_the_others() {
    let mut shop = Shop::open().await;
    shop.table.set("HEALTH_TABLES", "users=test,orders=missing");
    shop.table
        .set("HEALTH_TOPICS", "orders=arn:aws:sns:eu-central-1:1:gone");
    let reply = shop
        .client()
        .await
        .get("/health", SERVICE_UNAVAILABLE)
        .await;
    assert_eq!(reply.body["success"], false);
    assert_eq!(reply.body["data"]["status"], "unhealthy");
    assert_eq!(reply.header("retry-after"), Some("5"));
    assert_eq!(
        checks(&reply),
        [
            ("users table", "table", "healthy"),
            ("orders table", "table", "unhealthy"),
            ("orders topic", "topic", "unhealthy"),
            ("deliver-email queue", "queue", "healthy"),
        ]
    );
    let shown = reply.body.to_string();
    for secret in ["arn:", "http", "missing", "does not exist", "emporium"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[tokio::test]
async fn what_hangs_is_given_up_after_a_second_and_holds_up_nothing() {
    let shop = Shop::open().await;
    let client = shop.client().await;
    shop.queue_answers.store(false, Ordering::SeqCst);
    let reply = client.get("/health", SERVICE_UNAVAILABLE).await;
    let slow: Vec<_> = checks(&reply)
        .into_iter()
        .filter(|(_, _, status)| *status == "unhealthy")
        .collect();
    assert_eq!(slow, [("deliver-email queue", "queue", "unhealthy")]);
    let queue = &reply.body["data"]["checks"][3];
    assert!(queue["responseTimeMs"].as_u64().unwrap() >= 1000, "{queue}");
}

#[tokio::test]
async fn everything_is_asked_before_the_first_has_answered() {
    const PARTS: usize = 5;
    let mut shop = Shop::open().await;
    // One after the other, the first would wait for ever.
    let peer = StubServer::start(|body, before| {
        let round = before / PARTS + 1;
        let reply = if body.contains("GetTopicAttributes") {
            TOPIC.to_owned()
        } else {
            r#"{"Attributes":{"QueueArn":"arn"}}"#.to_owned()
        };
        StubReply::ReplyAfterRequests(round * PARTS, 200, reply)
    })
    .await;
    shop.table.set("AWS_ENDPOINT_URL_SNS", &peer.url);
    shop.table.set("AWS_ENDPOINT_URL_SQS", &peer.url);
    let arn = "arn:aws:sns:eu-central-1:1:emporium";
    let topics = format!("users={arn}-users,orders={arn}-orders");
    shop.table.set("HEALTH_TOPICS", &topics);
    let queue = format!("{}/1/emporium", peer.url);
    let queues = format!("one={queue}-1, one dead-letter={queue}-2, two={queue}-3");
    shop.table.set("HEALTH_QUEUES", &queues);
    let reply = shop.client().await.get("/health", OK).await;
    let names: Vec<&str> = checks(&reply).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(
        names[4..],
        ["one queue", "one dead-letter queue", "two queue"]
    );
    assert_eq!(peer.bodies().len(), 2 * PARTS, "to warm up, and to answer");
}

#[tokio::test]
async fn what_is_down_is_counted() {
    let mut shop = Shop::open().await;
    shop.table.set("HEALTH_TABLES", "users=test,orders=missing");
    let client = shop.client().await;
    let counted = RecordedMetrics::begin();
    client.get("/health", SERVICE_UNAVAILABLE).await;
    let wanted = [("DependencyErrors[Dependency=dynamodb]".to_owned(), 1.0)];
    assert_eq!(counted.take_untimed(), wanted);
}

#[tokio::test]
async fn an_answer_holds_for_two_seconds_and_no_longer() {
    let shop = Shop::open().await;
    let clock = Clock::manual(kernel::Timestamp::from_second(1_795_255_200).unwrap());
    let client = shop.client_at(clock.clone()).await;
    let warmed_up = shop.topics.bodies().len();

    let first = client.get("/health", OK).await;
    clock.advance(SignedDuration::from_millis(1999));
    let second = client.get("/health", OK).await;
    assert_eq!(first.body["data"], second.body["data"]);
    assert_eq!(shop.topics.bodies().len(), warmed_up + 1);

    clock.advance(SignedDuration::from_millis(1));
    let third = client.get("/health", OK).await;
    assert_eq!(third.body["data"]["timestamp"], "2026-11-21T10:00:02Z");
    assert_eq!(shop.topics.bodies().len(), warmed_up + 2);
    assert_eq!(shop.queues.bodies().len(), shop.topics.bodies().len());
}

#[tokio::test]
async fn it_does_not_start_when_it_is_not_told_what_to_check() {
    for (variable, value) in [
        ("HEALTH_TABLES", ""),
        ("HEALTH_TOPICS", ""),
        ("HEALTH_QUEUES", ""),
        ("HEALTH_QUEUES", "deliver-email"),
    ] {
        let mut shop = Shop::open().await;
        shop.table.set(variable, value);
        let error = health::function().start(shop.environment()).await.err();
        let error = error.expect("it does not start").to_string();
        assert!(error.contains(variable), "{error}");
    }
}
