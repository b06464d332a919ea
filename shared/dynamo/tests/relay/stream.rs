//! Events that the table's stream brings.

use std::time::Duration;

use serde_json::json;
use testkit::StubReply;

use crate::support::{TestRelay, order_placed, refused, stream_of, taken};

/// Entries of one PublishBatch (a limit of SNS).
const ENTRIES_MAX: usize = 10;
/// Calls of DynamoDB at a time, as the relay is to make them.
const MARKS_AT_ONCE: usize = 16;

#[tokio::test]
async fn an_entry_that_sns_refuses_stays_unsent_and_only_it_comes_again() {
    let relay = TestRelay::with(|_| taken(&["0".into(), "2".into()], &["1".into()])).await;
    let mut items = Vec::new();
    for _ in 0..3 {
        items.push(relay.announce().await);
    }
    assert_eq!(relay.forward(&stream_of(&items)).await, ["1"]);
    assert!(!relay.is_unsent(&items[0]).await);
    assert!(relay.is_unsent(&items[1]).await);
    assert!(!relay.is_unsent(&items[2]).await);
}

#[tokio::test]
async fn a_batch_is_published_in_as_many_parts_as_sns_needs() {
    let relay = TestRelay::new().await;
    let mut items = Vec::new();
    for _ in 0..2 * ENTRIES_MAX + 1 {
        items.push(relay.announce().await);
    }
    assert!(relay.forward(&stream_of(&items)).await.is_empty());
    assert_eq!(relay.sns.bodies().len(), 3);
    for item in &items {
        assert!(!relay.is_unsent(item).await);
        assert_eq!(relay.times_sent(item), 1, "published once");
    }
}

#[tokio::test]
async fn events_are_published_and_marked_several_at_a_time_and_no_more_than_a_bound() {
    let mut relay = TestRelay::new().await;
    let items = relay.announce_in("0", 100).await;
    let calls = relay.test.slow_down(Duration::from_millis(20)).await;
    assert!(relay.forward(&stream_of(&items)).await.is_empty());
    assert_eq!(calls.all("UpdateItem"), items.len());
    assert!(
        (2..=MARKS_AT_ONCE).contains(&calls.most("UpdateItem")),
        "{calls:?}"
    );
    assert_eq!(relay.unsent().await, 0);
}

#[tokio::test]
async fn a_batch_is_published_while_sns_is_still_busy_with_another() {
    let all: Vec<String> = (0..ENTRIES_MAX).map(|id| id.to_string()).collect();
    let both = move |_: &_| match taken(&all, &[]) {
        StubReply::Reply(status, body) => StubReply::ReplyAfterRequests(2, status, body),
        other => other,
    };
    let relay = TestRelay::with(both).await;
    let items = relay.announce_in("0", 2 * ENTRIES_MAX).await;
    assert!(relay.forward(&stream_of(&items)).await.is_empty());
    for item in &items {
        assert_eq!(relay.times_sent(item), 1);
    }
}

#[tokio::test]
async fn an_event_that_fails_the_whole_call_fails_alone() {
    let relay = TestRelay::with(|batch| {
        if batch.values().any(|message| message.contains("product")) {
            return refused();
        }
        let ids: Vec<String> = batch.keys().cloned().collect();
        taken(&ids, &[])
    })
    .await;
    let mut items = relay.announce_in("0", 4).await;
    items[2].event = items[2].event.replace("emporium/catalog", "product");
    relay.put(&items[2]).await;
    assert_eq!(relay.forward(&stream_of(&items)).await, ["2"]);
    assert_eq!(relay.unsent().await, 1);
}

#[tokio::test]
async fn a_late_record_of_an_event_that_the_sweep_has_published_is_not_published_again() {
    let relay = TestRelay::new().await;
    let swept = relay.announce().await;
    relay.sweep().await.unwrap();
    assert_eq!(relay.times_sent(&swept), 1);

    let other = relay.announce().await;
    let batch = stream_of(&[swept.clone(), other.clone()]);
    assert!(relay.forward(&batch).await.is_empty());
    assert_eq!(relay.times_sent(&swept), 1);
    assert_eq!(relay.times_sent(&other), 1);
}

#[tokio::test]
async fn a_late_record_of_an_event_that_nobody_has_published_is_published() {
    let relay = TestRelay::new().await;
    let item = relay.announce().await;
    relay.advance(600);
    let batch = stream_of(std::slice::from_ref(&item));
    assert!(relay.forward(&batch).await.is_empty());
    assert_eq!(relay.times_sent(&item), 1);
    assert!(!relay.is_unsent(&item).await);
}

#[tokio::test]
async fn a_record_that_is_no_event_does_not_keep_the_others() {
    let relay = TestRelay::new().await;
    let items = [relay.announce().await, relay.announce().await];
    let mut batch = stream_of(&items);
    batch["Records"][0]["dynamodb"]["NewImage"]["event"] = json!({"S": "{"});
    assert!(relay.forward(&batch).await.is_empty());
    assert_eq!(relay.times_sent(&items[1]), 1);
    assert!(relay.is_unsent(&items[0]).await);
}

/// A copy would stay in histories, exports and backups for as long as the order.
#[tokio::test]
async fn what_is_private_reaches_consumers_and_is_gone_from_the_table_then() {
    let relay = TestRelay::new().await;
    let item = relay.announce_data(&order_placed()).await;
    let stored = relay.stored(&item).await;
    assert!(stored["event"].as_str().unwrap().contains("pm_card_visa"));
    let shown = item.envelope().unwrap();
    assert_eq!(shown.data.get("paymentMethod"), None, "never in a history");

    let batch = stream_of(std::slice::from_ref(&item));
    assert!(relay.forward(&batch).await.is_empty());
    assert!(relay.sns.bodies()[0].contains("pm_card_visa"));
    let stored = relay.stored(&item).await;
    assert!(!stored.to_string().contains("pm_card_visa"), "{stored}");

    // Nothing else has changed.
    let left: serde_json::Value = serde_json::from_str(stored["event"].as_str().unwrap()).unwrap();
    assert_eq!(left, serde_json::to_value(shown).unwrap());
}
