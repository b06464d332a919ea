use std::sync::atomic::Ordering;

use kernel::SignedDuration;
use testkit::{
    RecordedMetrics, Reply, StubReply, StubServer,
    status::{OK, SERVICE_UNAVAILABLE},
};

use crate::fixture::{QUEUE, TOPIC, TestEdge};

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
async fn a_healthy_shop_lists_each_dependency_with_its_response_time() {
    let edge = TestEdge::new().await;
    let reply = edge.health().await.get("/health", OK).await;
    assert_eq!(reply.body["success"], true);
    let data = &reply.body["data"];
    assert_eq!(data["status"], "healthy");
    assert_eq!(data["service"], "edge");
    assert_eq!(data["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(data["timestamp"], "2026-11-21T10:00:00Z");
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
async fn a_missing_dependency_is_listed_as_unhealthy_without_its_address() {
    let mut edge = TestEdge::new().await;
    edge.table.set("HEALTH_TABLES", "users=test,orders=missing");
    let topics = "orders=arn:aws:sns:eu-central-1:1:missing";
    edge.table.set("HEALTH_TOPICS", topics);
    let client = edge.health().await;
    let reply = client.get("/health", SERVICE_UNAVAILABLE).await;
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
async fn a_dependency_that_hangs_is_unhealthy_after_a_second() {
    let edge = TestEdge::new().await;
    let client = edge.health().await;
    edge.sqs_replies.store(false, Ordering::SeqCst);
    let reply = client.get("/health", SERVICE_UNAVAILABLE).await;
    let mut unhealthy = checks(&reply);
    unhealthy.retain(|(_, _, status)| *status == "unhealthy");
    assert_eq!(unhealthy, [("deliver-email queue", "queue", "unhealthy")]);
    let queue = &reply.body["data"]["checks"][3];
    assert!(queue["responseTimeMs"].as_u64().unwrap() >= 1000, "{queue}");
}

#[tokio::test]
async fn all_dependencies_are_checked_concurrently() {
    const CALLS: usize = 5;
    let mut edge = TestEdge::new().await;
    // The first call of a round is answered only when all have arrived.
    let aws = StubServer::start(|body, before| {
        let round = before / CALLS + 1;
        let reply = if body.contains("GetTopicAttributes") {
            TOPIC
        } else {
            QUEUE
        };
        StubReply::ReplyAfterRequests(round * CALLS, 200, reply.to_owned())
    })
    .await;
    edge.table.set("AWS_ENDPOINT_URL_SNS", &aws.url);
    edge.table.set("AWS_ENDPOINT_URL_SQS", &aws.url);
    let arn = "arn:aws:sns:eu-central-1:1:emporium";
    let topics = format!("users={arn}-users,orders={arn}-orders");
    edge.table.set("HEALTH_TOPICS", &topics);
    let queue = format!("{}/1/emporium", aws.url);
    let queues = format!("one={queue}-1, one dead-letter={queue}-2, two={queue}-3");
    edge.table.set("HEALTH_QUEUES", &queues);
    let reply = edge.health().await.get("/health", OK).await;
    let names: Vec<&str> = checks(&reply).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(
        names[4..],
        ["one queue", "one dead-letter queue", "two queue"]
    );
    let calls = aws.bodies().len();
    assert_eq!(calls, 2 * CALLS, "to warm up, and to check");
}

#[tokio::test]
async fn a_failed_check_is_counted_as_a_dependency_error() {
    let mut edge = TestEdge::new().await;
    edge.table.set("HEALTH_TABLES", "users=test,orders=missing");
    let client = edge.health().await;
    let metrics = RecordedMetrics::begin();
    client.get("/health", SERVICE_UNAVAILABLE).await;
    let expected = [("DependencyErrors[Dependency=dynamodb]".to_owned(), 1.0)];
    assert_eq!(metrics.take_untimed(), expected);
}

#[tokio::test]
async fn a_result_is_reused_for_two_seconds_and_no_longer() {
    let edge = TestEdge::new().await;
    let client = edge.health().await;
    let warm_up = edge.sns.bodies().len();

    let first = client.get("/health", OK).await;
    edge.table
        .clock()
        .advance(SignedDuration::from_millis(1999));
    let second = client.get("/health", OK).await;
    assert_eq!(first.body["data"], second.body["data"]);
    assert_eq!(edge.sns.bodies().len(), warm_up + 1);

    edge.table.clock().advance(SignedDuration::from_millis(1));
    let third = client.get("/health", OK).await;
    assert_eq!(third.body["data"]["timestamp"], "2026-11-21T10:00:02Z");
    assert_eq!(edge.sns.bodies().len(), warm_up + 2);
    assert_eq!(edge.sqs.bodies().len(), edge.sns.bodies().len());
}

#[tokio::test]
async fn a_missing_or_unreadable_list_prevents_the_start() {
    for (variable, value) in [
        ("HEALTH_TABLES", ""),
        ("HEALTH_TOPICS", ""),
        ("HEALTH_QUEUES", ""),
        ("HEALTH_QUEUES", "deliver-email"),
    ] {
        let mut edge = TestEdge::new().await;
        edge.table.set(variable, value);
        let function = edge::api::health::function();
        let error = function.start(edge.table.environment()).await.err();
        let error = error.expect("it does not start").to_string();
        assert!(error.contains(variable), "{error}");
    }
}
