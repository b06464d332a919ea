//! Events that the stream did not bring.

use std::collections::BTreeSet;

use dynamo::OutboxItem;
use serde_json::json;
use testkit::StubReply;

use crate::support::{TestRelay, order_placed};

/// How many partitions of the index an order's events need at 1,000 orders a
/// second, half full: docs/decisions/0037-the-relay.md.
const PARTITIONS: usize = 16;
/// How long a sweep goes on.
const SWEEP_SECONDS: i64 = 45;

#[tokio::test]
async fn a_sweep_goes_on_until_nothing_is_left() {
    let relay = TestRelay::new().await;
    let items = relay.announce_in("3", 250).await;
    relay.sweep().await.unwrap();
    assert_eq!(relay.unsent().await, 0);
    assert_eq!(relay.times_sent(&items[249]), 1);
}

#[tokio::test]
async fn a_sweep_ends_in_time_and_the_next_one_goes_on() {
    let relay = TestRelay::new().await;
    relay.announce_in("0", 300).await;
    let (clock, sns) = (relay.test.clock().clone(), &relay.sns);
    let watch = async {
        loop {
            // Time passes when the first page has been published.
            if sns.bodies().len() >= 10 {
                clock.advance(kernel::SignedDuration::from_secs(SWEEP_SECONDS));
                return std::future::pending::<()>().await;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        swept = relay.sweep() => swept.unwrap(),
        () = watch => {}
    }
    let left = relay.unsent().await;
    assert!((100..=200).contains(&left), "{left}");
    relay.sweep().await.unwrap();
    assert_eq!(relay.unsent().await, 0);
}

#[tokio::test]
async fn events_that_sns_refuses_do_not_keep_later_ones() {
    let relay = TestRelay::refusing(&["refused"]).await;
    for mut item in relay.announce_in("0", 210).await {
        item.event = item.event.replace("test-correlation", "refused");
        relay.put(&item).await;
    }
    let good = relay.announce_in("0", 1).await;
    relay.sweep().await.unwrap();
    assert_eq!(relay.times_sent(&good[0]), 1);
    assert_eq!(relay.unsent().await, 210);
}

#[tokio::test]
async fn an_item_that_is_no_event_keeps_no_other_and_fails_the_sweep_in_the_end() {
    let relay = TestRelay::new().await;
    relay
        .put(&json!({"pk": "ORDER#1", "sk": "EVENT#1", "event": 7, "unsent": "0", "unsent_since": 1}))
        .await;
    relay
        .put(&json!({"pk": "ORDER#2", "sk": "EVENT#1", "event": "{", "unsent": "1", "unsent_since": 1}))
        .await;
    let mut items = relay.announce_in("0", 3).await;
    items.extend(relay.announce_in("1", 3).await);
    let error = relay.sweep().await.unwrap_err();
    assert_eq!(error.to_string(), "2 items of the outbox cannot be read");
    for item in &items {
        assert_eq!(relay.times_sent(item), 1);
    }
    assert_eq!(relay.unsent().await, 2);
}

#[tokio::test]
async fn when_sns_is_away_a_sweep_gives_up_after_the_first_page_of_each_shard() {
    let relay = TestRelay::with(|_| StubReply::Reply(503, String::new())).await;
    relay.announce_in("0", 250).await;
    relay.sweep().await.unwrap();
    // Ten calls with three attempts each.
    assert_eq!(relay.sns.bodies().len(), 30);
    assert_eq!(relay.unsent().await, 250);
}

#[tokio::test]
async fn every_partition_is_swept_those_of_earlier_releases_too() {
    let relay = TestRelay::new().await;
    let mut items = Vec::new();
    for shard in 0..PARTITIONS {
        items.extend(relay.announce_in(&shard.to_string(), 1).await);
    }
    relay.sweep().await.unwrap();
    assert_eq!(relay.unsent().await, 0);
    for item in &items {
        assert_eq!(relay.times_sent(item), 1);
    }
}

#[tokio::test]
async fn new_events_are_spread_over_as_many_partitions_as_a_busy_shop_needs() {
    let relay = TestRelay::new().await;
    let mut partitions = BTreeSet::new();
    for _ in 0..30 * PARTITIONS {
        let event = relay.test.event(&order_placed());
        let key = dynamo::Key::new("ORDER#1", "EVENT#1");
        let item = OutboxItem::new(key, &event, dynamo::Keep::Forever).unwrap();
        partitions.insert(item.unsent.unwrap());
    }
    let expected = (0..PARTITIONS).map(|shard| shard.to_string());
    assert_eq!(partitions, expected.collect());
}
