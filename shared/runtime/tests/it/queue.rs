//! What becomes of messages that fail: which come again, and when.

use std::{future::pending, time::Duration};

use contracts::{Envelope, Stamp, events::UserErased};
use kernel::{Actor, Cause};
use runtime::{Context, Environment, Error, Function, Handler, Host, LambdaEvent, Random, queue};
use serde_json::{Value, json, value::to_raw_value};
use testkit::{Clock, RecordedMetrics, StubReply, StubServer, new_id, system_time};

/// The longest wait after so many receives, in seconds; at least half of it passes.
const WAIT_MAX_S: [(u32, u64); 4] = [(1, 2), (4, 16), (10, 900), (50, 900)];

/// Fails, hangs or succeeds as the event's correlation id says.
fn consumer() -> Function {
    queue::consumer(
        "test",
        &[],
        |_| async { Ok::<_, Error>(()) },
        |_, event: Envelope| async move {
            match event.correlationid.as_str() {
                "fails" => Err("the store failed".into()),
                "hangs" => pending().await,
                "unreadable" => Ok(event.read::<UserErased>().map(drop)?),
                _ => Ok(()),
            }
        },
    )
}

async fn start(sqs: &StubServer, random: u8) -> Handler {
    let clock = Clock::at(system_time());
    let host = Host::new(clock.source(), Random::new(move |bytes| bytes.fill(random)));
    let environment: Environment = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL", sqs.url.as_str()),
        ("QUEUE_URL", "http://localhost/000000000000/test"),
    ]
    .into_iter()
    .collect();
    consumer().start(environment.on(host)).await.unwrap()
}

fn message(outcome: &str, receives: u32) -> Value {
    let cause = Cause::new(outcome, "request", Actor::Anonymous);
    let stamp = Stamp {
        id: new_id(),
        time: system_time(),
        cause,
    };
    let erased = UserErased { user_id: new_id() };
    let mut event = serde_json::to_value(Envelope::new(&erased, stamp)).unwrap();
    if outcome == "unreadable" {
        event["data"] = json!({});
    }
    let body = match outcome {
        "no event" => "{}".to_owned(),
        _ => event.to_string(),
    };
    json!({
        "messageId": outcome, "receiptHandle": format!("receipt of {outcome}"), "body": body,
        "attributes": {"ApproximateReceiveCount": receives.to_string()},
        "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "eu-central-1",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:000000000000:test"
    })
}

/// Delivers messages to a function that has so long; returns the ids of those
/// that failed.
async fn deliver(handler: &Handler, messages: &[Value], time: Duration) -> Vec<String> {
    let mut context = Context::default();
    let now = u64::try_from(system_time().as_millisecond()).unwrap();
    context.deadline = now + u64::try_from(time.as_millis()).unwrap();
    let batch = to_raw_value(&json!({ "Records": messages })).unwrap();
    let reply = handler(LambdaEvent::new(batch, context)).await.unwrap();
    let reply: Value = serde_json::from_str(reply.get()).unwrap();
    let failures = reply["batchItemFailures"].as_array().unwrap().iter();
    let ids = failures.map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned());
    ids.collect()
}

async fn sqs() -> StubServer {
    let reply = json!({"Successful": [], "Failed": []}).to_string();
    StubServer::start(move |_, _| StubReply::Reply(200, reply.clone())).await
}

/// How long SQS was asked to hide messages, by receipt.
fn hidden(sqs: &StubServer) -> Vec<(String, u64)> {
    let requests = sqs.bodies();
    let requests = requests
        .iter()
        .map(|body| serde_json::from_str(body).unwrap());
    let entries =
        requests.flat_map(|request: Value| request["Entries"].as_array().unwrap().clone());
    let entries = entries.map(|entry| {
        let receipt = entry["ReceiptHandle"].as_str().unwrap().to_owned();
        (receipt, entry["VisibilityTimeout"].as_u64().unwrap())
    });
    entries.collect()
}

#[tokio::test]
async fn a_failed_message_is_hidden_longer_each_time_and_the_others_are_done() {
    for (receives, most) in WAIT_MAX_S {
        for random in [0, 255] {
            let sqs = sqs().await;
            let handler = start(&sqs, random).await;
            let batch = [message("works", receives), message("fails", receives)];
            let failed = deliver(&handler, &batch, Duration::from_secs(10)).await;
            assert_eq!(failed, ["fails"]);
            let hidden = hidden(&sqs);
            assert_eq!(hidden.len(), 1, "{hidden:?}");
            let (receipt, seconds) = &hidden[0];
            assert_eq!(receipt, "receipt of fails");
            assert!(
                (most / 2..=most).contains(seconds),
                "{receives}: {seconds} s"
            );
        }
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_not_retried_for_hours() {
    let sqs = sqs().await;
    let handler = start(&sqs, 255).await;
    let batch = [message("unreadable", 40), message("no event", 40)];
    let failed = deliver(&handler, &batch, Duration::from_secs(10)).await;
    assert_eq!(failed, ["unreadable", "no event"]);
    let seconds: Vec<u64> = hidden(&sqs)
        .into_iter()
        .map(|(_, seconds)| seconds)
        .collect();
    assert_eq!(seconds, [3, 3]);
}

#[tokio::test]
async fn a_message_that_hangs_fails_alone_before_its_invocation_ends() {
    let sqs = sqs().await;
    let handler = start(&sqs, 0).await;
    let batch = [message("hangs", 1), message("works", 1)];
    // A margin of two seconds is for the reply.
    let replied = deliver(&handler, &batch, Duration::from_millis(2_100));
    let failed = tokio::time::timeout(Duration::from_secs(2), replied).await;
    assert_eq!(failed.unwrap(), ["hangs"]);
    assert_eq!(hidden(&sqs).len(), 1);
}

#[tokio::test]
async fn messages_fail_also_while_the_queue_cannot_hide_them() {
    for reply in [
        StubReply::Silence,
        StubReply::Reply(
            400,
            r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}"#.into(),
        ),
    ] {
        let sqs = StubServer::start(move |_, _| reply.clone()).await;
        let handler = start(&sqs, 0).await;
        let batch = [message("fails", 1)];
        let replied = deliver(&handler, &batch, Duration::from_secs(10));
        let failed = tokio::time::timeout(Duration::from_secs(2), replied).await;
        assert_eq!(failed.unwrap(), ["fails"]);
    }
}

/// SQS itself does not count a message that has been received three times as waiting.
#[tokio::test]
async fn a_batch_reports_for_how_long_its_messages_have_been_failing() {
    let sqs = StubServer::start(|_, _| StubReply::Reply(200, "{}".into())).await;
    let handler = start(&sqs, 0).await;
    let metrics = RecordedMetrics::begin();
    let sent = |outcome, seconds: i64| {
        let mut message = message(outcome, 9);
        let sent_ms = system_time().as_millisecond() - seconds * 1_000;
        message["attributes"]["SentTimestamp"] = json!(sent_ms.to_string());
        message
    };
    let messages = [
        sent("fails", 700),
        sent("fails", 30),
        sent("succeeds", 9_000),
    ];
    deliver(&handler, &messages, Duration::from_secs(10)).await;
    let failing_for = metrics.take()["FailingFor[]"];
    assert!((690.0..=700.0).contains(&failing_for), "{failing_for} s");
    deliver(&handler, &messages[2..], Duration::from_secs(10)).await;
    assert!(
        !metrics.take().contains_key("FailingFor[]"),
        "nothing failed"
    );
}
