//! What is counted of orders: each thing once, however often it is told.

use contracts::Envelope;
use kernel::{SignedDuration, UserId};
use orders::events::relay_order_events;
use runtime::{Context, LambdaEvent};
use serde_json::{json, value::to_raw_value};
use testkit::{
    StubReply, RecordedMetrics, StubServer, deliver,
    status::{CONFLICT, CREATED, SERVICE_UNAVAILABLE},
};

use crate::{
    advance_orders::opened,
    catalog::Fault,
    shop::{Shop, body, buyer},
};

/// Delivers events, each twice: in one batch, and again later.
async fn tell_twice(shop: &Shop, events: &[&Envelope]) {
    let consumer = shop.advance_orders().await;
    for event in events {
        let event = (*event).clone();
        for _ in 0..2 {
            let failed = deliver(&consumer, &[event.clone(), event.clone()]).await;
            assert!(failed.is_empty(), "{}", event.event_type);
        }
    }
}

#[tokio::test]
async fn an_order_and_its_money_count_once_however_often_the_event_comes() {
    let (shop, _, said) = opened().await;
    let counted = RecordedMetrics::begin();
    tell_twice(&shop, &[&said.authorized, &said.committed]).await;
    assert_eq!(counted.take_untimed(), []);
    tell_twice(&shop, &[&said.captured]).await;
    let wanted = [
        ("OrdersConfirmed[]".to_owned(), 1.0),
        ("Revenue[Currency=USD]".to_owned(), 20.0),
    ];
    assert_eq!(counted.take_untimed(), wanted);
    tell_twice(&shop, &[&said.authorized, &said.committed, &said.captured]).await;
    assert_eq!(counted.take_untimed(), []);
}

#[tokio::test]
async fn an_order_that_fails_counts_once_by_its_reason_and_brings_no_money() {
    for (steps, reason) in [
        (vec!["declined"], "payment_declined"),
        (vec!["expired"], "reservation_expired"),
        (vec!["authorized", "rejected"], "reservation_expired"),
        (vec!["authorized", "committed", "failed"], "capture_failed"),
    ] {
        let (shop, _, said) = opened().await;
        let counted = RecordedMetrics::begin();
        let events: Vec<&Envelope> = steps
            .iter()
            .map(|step| match *step {
                "authorized" => &said.authorized,
                "committed" => &said.committed,
                "declined" => &said.declined,
                "expired" => &said.expired,
                "rejected" => &said.rejected,
                _ => &said.capture_failed,
            })
            .collect();
        tell_twice(&shop, &events).await;
        let wanted = [(format!("OrdersFailed[Reason={reason}]"), 1.0)];
        assert_eq!(counted.take_untimed(), wanted, "{steps:?}");
    }
}

#[tokio::test]
async fn an_order_is_placed_once_for_its_key() {
    let shop = Shop::open().await;
    let product = shop.catalog.stock(1_000, 3);
    let counted = RecordedMetrics::begin();
    let client = buyer(&shop.place_order().await, testkit::new_id::<UserId>(), "k");
    for _ in 0..3 {
        client
            .post("/api/orders", &body(&[(product, 2)]), CREATED)
            .await;
    }
    let all = counted.take();
    assert_eq!(all["OrdersPlaced[]"], 1.0);
    assert_eq!(all["BreakerOpen[Dependency=catalog]"], 0.0);
    assert!(
        all.contains_key("RequestLatency[Service=emporium]"),
        "{all:?}"
    );

    let client = client.with_header("idempotency-key", "short");
    client
        .post("/api/orders", &body(&[(product, 2)]), CONFLICT)
        .await;
    let wanted = [("BreakerOpen[Dependency=catalog]".to_owned(), 0.0)];
    assert_eq!(
        counted.take_untimed(),
        wanted,
        "refused is neither placed nor an error"
    );
}

#[tokio::test]
async fn a_service_that_fails_is_counted() {
    let shop = Shop::open().await;
    let product = shop.catalog.stock(1_000, 3);
    let client = buyer(&shop.place_order().await, testkit::new_id::<UserId>(), "k");
    let counted = RecordedMetrics::begin();
    shop.catalog.fail(Fault::FunctionError, 1);
    client
        .post("/api/orders", &body(&[(product, 2)]), SERVICE_UNAVAILABLE)
        .await;
    let wanted = [
        ("BreakerOpen[Dependency=catalog]".to_owned(), 0.0),
        ("DependencyErrors[Dependency=catalog]".to_owned(), 1.0),
    ];
    assert_eq!(counted.take_untimed(), wanted);
}

#[tokio::test]
async fn orders_that_are_open_too_long_are_stuck_until_they_end() {
    let (mut shop, _, said) = opened().await;
    let published = "<PublishBatchResponse><PublishBatchResult><Successful/><Failed/>\
                     </PublishBatchResult></PublishBatchResponse>";
    let sns = StubServer::start(move |_, _| StubReply::Reply(200, published.into())).await;
    shop.table.set("AWS_ENDPOINT_URL_SNS", &sns.url);
    shop.table
        .set("TOPIC_ARN", "arn:aws:sns:eu-central-1:000000000000:orders");
    let function = relay_order_events::function_at(shop.clock.clone());
    let relay = shop.table.start(&function).await;
    let counted = RecordedMetrics::begin();
    let stuck = async || {
        let payload = to_raw_value(&json!({"source": "aws.scheduler"})).unwrap();
        let sweep = relay(LambdaEvent::new(payload, Context::default()));
        sweep.await.unwrap();
        counted.take()["StuckOrders[]"]
    };
    assert_eq!(stuck().await, 0.0);
    shop.clock.advance(SignedDuration::from_mins(20));
    assert_eq!(stuck().await, 0.0, "not for more than twenty minutes");
    shop.clock.advance(SignedDuration::from_millis(1));
    assert_eq!(stuck().await, 1.0);
    let consumer = shop.advance_orders().await;
    deliver(&consumer, std::slice::from_ref(&said.authorized)).await;
    shop.order(testkit::new_id::<UserId>()).await;
    assert_eq!(
        stuck().await,
        1.0,
        "authorised and still open; the other one is new"
    );
    for event in [said.committed, said.captured] {
        assert!(deliver(&consumer, &[event]).await.is_empty());
    }
    assert_eq!(stuck().await, 0.0);
}

#[tokio::test]
async fn a_topic_that_takes_nothing_is_counted() {
    let mut shop = Shop::open().await;
    shop.order(testkit::new_id::<UserId>()).await;
    let sns = StubServer::start(|_, _| StubReply::Reply(403, "<ErrorResponse/>".into())).await;
    shop.table.set("AWS_ENDPOINT_URL_SNS", &sns.url);
    shop.table
        .set("TOPIC_ARN", "arn:aws:sns:eu-central-1:000000000000:orders");
    let relay = shop.table.start(&relay_order_events::function()).await;
    let counted = RecordedMetrics::begin();
    let payload = to_raw_value(&json!({"source": "aws.scheduler"})).unwrap();
    relay(LambdaEvent::new(payload, Context::default()))
        .await
        .unwrap();
    assert_eq!(counted.take()["DependencyErrors[Dependency=sns]"], 1.0);
}
