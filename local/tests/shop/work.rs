//! Queues, streams and topics.

use serde_json::{Value, json};

use crate::toy::{TEMPLATE, Toy};

#[tokio::test]
async fn a_poison_message_moves_to_the_dead_letter_queue_and_can_be_redriven() {
    let toy = Toy::start().await;
    for body in ["one", "poison", "two"] {
        toy.send(body).await;
    }
    toy.until_queue("Dead", 1).await;
    let bodies: Vec<Value> = toy
        .consumed
        .all()
        .iter()
        .map(|seen| seen["record"]["body"].clone())
        .collect();
    let times = |body: &str| bodies.iter().filter(|seen| **seen == body).count();
    assert_eq!(
        (times("one"), times("two"), times("poison")),
        (1, 1, 2),
        "maxReceiveCount is 2"
    );
    assert_eq!(toy.queue("Queue").await, (0, 0));
    let first = &toy.consumed.all()[0];
    assert_eq!(first["of"], 3, "the batching window gathers them");
    let record = &first["record"];
    assert_eq!(record["eventSource"], "aws:sqs");
    assert_eq!(
        record["eventSourceARN"],
        "arn:aws:sqs:us-east-1:000000000000:toys"
    );
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");

    let metrics = toy.metrics().await;
    let number = |sample: &str| metrics.get(sample).copied();
    let dead = r#"emporium_dead_letter_queue_messages{queue="Dead"}"#;
    assert_eq!(number(dead), Some(1.0), "{metrics:#?}");
    let waiting = r#"emporium_queue_messages{queue="Queue",state="waiting"}"#;
    assert_eq!(number(waiting), Some(0.0));
    let calls = r#"emporium_function_invocations_total{function="consume"}"#;
    assert!(number(calls).is_some_and(|calls| calls >= 2.0));

    let moved = toy
        .request("POST", "/_local/redrive?queue=Dead")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(moved, r#"{"from":"Dead","moved":1,"to":"Queue"}"#);
    toy.consumed
        .until("the redriven message", |seen| seen.len() > 4)
        .await;
    toy.shop.stop().await;
}

#[tokio::test]
async fn inserts_reach_the_function_and_other_changes_are_filtered_out() {
    let toy = Toy::start().await;
    for count in 1..=20 {
        toy.put(&format!("item-{count}")).await;
        toy.changed
            .until("the change", |seen| seen.len() == count)
            .await;
    }
    // The template's filter passes inserts only, and this overwrites an item.
    toy.put("item-1").await;
    toy.put("last").await;
    let seen = toy.changed.until("the last", |seen| seen.len() > 20).await;
    assert_eq!(seen.len(), 21);
    let record = &seen[20]["record"];
    assert_eq!(record["dynamodb"]["NewImage"], json!({"pk": {"S": "last"}}));
    assert_eq!(record["eventName"], "INSERT");
    assert!(
        record["eventSourceARN"]
            .as_str()
            .unwrap()
            .contains(":table/toys/stream/")
    );
    assert_eq!(
        record["dynamodb"]["SequenceNumber"].as_str().unwrap().len(),
        21
    );
    toy.shop.stop().await;
}

#[tokio::test]
async fn a_record_that_always_fails_is_isolated_given_up_and_reported() {
    let toy = Toy::start().await;
    toy.put_all(&["a", "b", "bad", "c", "d", "e"]).await;
    let seen = |all: &[Value], pk: &str| {
        all.iter()
            .filter(|seen| seen["record"]["dynamodb"]["NewImage"]["pk"]["S"] == pk)
            .count()
    };
    let all = toy
        .changed
        .until("the records after the bad one", |all| {
            ["c", "d", "e"].iter().all(|pk| seen(all, pk) > 0)
        })
        .await;
    assert!(seen(&all, "bad") >= 2, "it is retried");
    let messages = toy.receive("emporium-GivenUp").await;
    let report: Value = serde_json::from_str(messages[0]["Body"].as_str().unwrap()).unwrap();
    assert_eq!(
        report["requestContext"]["condition"],
        "RetryAttemptsExhausted"
    );
    assert_eq!(
        report["DDBStreamBatchInfo"]["batchSize"], 1,
        "the other records succeeded"
    );
    assert!(
        !report.to_string().contains("bad"),
        "the report does not contain the record"
    );
    assert_eq!(toy.queue("GivenUp").await, (0, 1), "only this one");
    toy.shop.stop().await;
}

#[tokio::test]
async fn after_a_restart_the_last_minutes_of_a_stream_are_replayed_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let first = Toy::kept_in(TEMPLATE, Some(directory.path())).await;
    for (count, pk) in ["old", "recent"].into_iter().enumerate() {
        first.put(pk).await;
        first
            .changed
            .until("the change", |all| all.len() == count + 1)
            .await;
    }
    first.shop.stop().await;
    // Makes the first one an hour older.
    let database = rusqlite::Connection::open(directory.path().join("dynamodb.sqlite")).unwrap();
    let aged =
        "UPDATE _stream_records SET created_at = created_at - 3600 WHERE keys_json LIKE '%old%'";
    assert_eq!(database.execute(aged, []).unwrap(), 1);
    drop(database);

    let second = Toy::kept_in(TEMPLATE, Some(directory.path())).await;
    second.put("after").await;
    let all = second
        .changed
        .until("the changes", |all| all.len() >= 2)
        .await;
    let pks: Vec<&Value> = all
        .iter()
        .map(|seen| &seen["record"]["dynamodb"]["Keys"]["pk"]["S"])
        .collect();
    assert_eq!(pks, ["recent", "after"]);
    second.shop.stop().await;
}

#[tokio::test]
async fn a_published_event_reaches_its_subscriber_and_is_shown_on_the_dashboard() {
    let toy = Toy::start().await;
    let publish = async |kind: &str| {
        let event =
            format!(r#"{{"type":"{kind}","id":"e1","subject":"toys/1","correlationid":"c1"}}"#);
        let topic = "arn:aws:sns:us-east-1:000000000000:emporium-Topic";
        let fields = [
            ("Action", "Publish"),
            ("TopicArn", topic),
            ("Message", &event),
        ];
        toy.form("AWS_ENDPOINT_URL_SNS", &fields).await;
    };
    publish("toy.returned").await;
    publish("toy.sold").await;
    let seen = toy
        .consumed
        .until("the event", |seen| !seen.is_empty())
        .await;
    assert!(
        seen[0]["record"]["body"]
            .as_str()
            .unwrap()
            .contains("toy.sold"),
        "the filter passes only this type"
    );
    let (_, state) = toy.get("/_local/state").await;
    let shown: Vec<&Value> = state["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["type"])
        .collect();
    assert_eq!(shown, ["toy.sold", "toy.returned"]);
    assert_eq!(state["events"][0]["correlationId"], "c1");
    toy.shop.stop().await;
}
