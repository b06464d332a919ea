//! The business metrics: each fact counts once, however often it is reported.

use contracts::Envelope;
use kernel::SignedDuration;
use testkit::{
    RecordedMetrics, StubReply, StubServer, deliver, new_id,
    status::{CONFLICT, CREATED, SERVICE_UNAVAILABLE},
};

use crate::{
    external_events::{ExternalEvents, placed_order},
    fixture::{PATH, TestOrders, order_body},
    stub_catalog::Fault,
};

/// Delivers each event twice in one batch, and again in a second batch.
async fn advance_repeatedly(orders: &TestOrders, events: &[&Envelope]) {
    let consumer = orders.function("advance-orders").await;
    for event in events {
        let event = (*event).clone();
        for _ in 0..2 {
            let failed = deliver(&consumer, &[event.clone(), event.clone()]).await;
            assert!(failed.is_empty(), "{}", event.event_type);
        }
    }
}

#[tokio::test]
async fn a_confirmed_order_and_its_revenue_count_once_despite_repeated_events() {
    let (orders, _, events) = placed_order().await;
    let metrics = RecordedMetrics::begin();
    advance_repeatedly(&orders, &[&events.authorized, &events.committed]).await;
    assert_eq!(metrics.take_untimed(), []);
    advance_repeatedly(&orders, &[&events.captured]).await;
    let expected = [
        ("OrdersConfirmed[]".to_owned(), 1.0),
        ("Revenue[Currency=USD]".to_owned(), 20.0),
    ];
    assert_eq!(metrics.take_untimed(), expected);
    let all = [&events.authorized, &events.committed, &events.captured];
    advance_repeatedly(&orders, &all).await;
    assert_eq!(metrics.take_untimed(), []);
}

#[tokio::test]
async fn a_failed_order_counts_once_by_its_reason_and_without_revenue() {
    for (names, reason) in [
        (vec!["declined"], "payment_declined"),
        (vec!["expired"], "reservation_expired"),
        (vec!["authorized", "rejected"], "reservation_expired"),
        (
            vec!["authorized", "committed", "capture_failed"],
            "capture_failed",
        ),
    ] {
        let (orders, _, events) = placed_order().await;
        let metrics = RecordedMetrics::begin();
        let course: Vec<&Envelope> = names.iter().map(|name| events.by_name(name)).collect();
        advance_repeatedly(&orders, &course).await;
        let expected = [(format!("OrdersFailed[Reason={reason}]"), 1.0)];
        assert_eq!(metrics.take_untimed(), expected, "{names:?}");
    }
}

#[tokio::test]
async fn an_order_counts_as_placed_once_per_key() {
    let orders = TestOrders::new().await;
    let body = order_body(&[(orders.catalog.add_product(1_000, 3), 2)]);
    let metrics = RecordedMetrics::begin();
    let client = orders.customer(new_id(), "key");
    for _ in 0..3 {
        client.post(PATH, &body, CREATED).await;
    }
    let recorded = metrics.take();
    assert_eq!(recorded["OrdersPlaced[]"], 1.0);
    assert_eq!(recorded["BreakerOpen[Dependency=catalog]"], 0.0);
    assert!(
        recorded.contains_key("RequestLatency[Service=emporium]"),
        "{recorded:?}"
    );

    let client = client.with_header("idempotency-key", "short");
    client.post(PATH, &body, CONFLICT).await;
    let expected = [("BreakerOpen[Dependency=catalog]".to_owned(), 0.0)];
    assert_eq!(
        metrics.take_untimed(),
        expected,
        "a rejected order is neither placed nor an error"
    );
}

#[tokio::test]
async fn an_error_of_catalog_is_counted() {
    let orders = TestOrders::new().await;
    let body = order_body(&[(orders.catalog.add_product(1_000, 3), 2)]);
    let metrics = RecordedMetrics::begin();
    orders.catalog.fail(Fault::FunctionError, 1);
    let client = orders.customer(new_id(), "key");
    client.post(PATH, &body, SERVICE_UNAVAILABLE).await;
    let expected = [
        ("BreakerOpen[Dependency=catalog]".to_owned(), 0.0),
        ("DependencyErrors[Dependency=catalog]".to_owned(), 1.0),
    ];
    assert_eq!(metrics.take_untimed(), expected);
}

#[tokio::test]
async fn an_order_open_for_more_than_twenty_minutes_is_stuck_until_it_ends() {
    let published = "<PublishBatchResponse><PublishBatchResult><Successful/><Failed/>\
                     </PublishBatchResult></PublishBatchResponse>";
    let sns = StubServer::start(move |_, _| StubReply::Reply(200, published.into())).await;
    let orders = TestOrders::publishing_to(&sns).await;
    let order = orders.place(new_id()).await.order;
    let events = ExternalEvents::new(&orders, &order);
    let relay = orders.function("relay-order-events").await;
    let metrics = RecordedMetrics::begin();
    let stuck = async || {
        testkit::run(&relay).await;
        metrics.take()["StuckOrders[]"]
    };
    assert_eq!(stuck().await, 0.0);
    // A pending one is ended then.
    orders.advance(&[&events.authorized]).await;
    orders.table.clock().advance(SignedDuration::from_mins(20));
    assert_eq!(stuck().await, 0.0, "not for more than twenty minutes");
    orders.table.clock().advance(SignedDuration::from_millis(1));
    assert_eq!(stuck().await, 1.0);
    orders.place(new_id()).await;
    assert_eq!(
        stuck().await,
        1.0,
        "authorised but still open; the second order is new"
    );
    orders.advance(&[&events.committed, &events.captured]).await;
    assert_eq!(stuck().await, 0.0);
}

#[tokio::test]
async fn a_rejected_publication_is_counted() {
    let sns = StubServer::start(|_, _| StubReply::Reply(403, "<ErrorResponse/>".into())).await;
    let orders = TestOrders::publishing_to(&sns).await;
    orders.place(new_id()).await;
    orders.table.clock().advance(SignedDuration::from_mins(2));
    let relay = orders.function("relay-order-events").await;
    let metrics = RecordedMetrics::begin();
    testkit::run(&relay).await;
    assert_eq!(metrics.take()["DependencyErrors[Dependency=sns]"], 1.0);
}
