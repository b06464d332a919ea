//! `POST /api/orders`: limits on orders that hold goods without being paid.

use kernel::{SignedDuration, UserId};
use orders::domain::Status;
use serde_json::{Value, json};
use testkit::{Client, RecordedMetrics, Reply, new_id, status::*};

use crate::{
    external_events::ExternalEvents,
    fixture::{PATH, TestOrders, order_body, order_id},
    stub_catalog::Fault,
};

/// An order of one piece with a payment method, under a new key.
pub(crate) async fn try_order(
    orders: &TestOrders,
    client: &Client,
    payment_method: &str,
    expected: http::StatusCode,
) -> Reply {
    let product = orders.catalog.add_product(1_000, 1);
    let mut body = order_body(&[(product, 1)]);
    body["paymentMethod"] = json!(payment_method);
    let key: UserId = new_id();
    let client = client.with_header("idempotency-key", &key.to_string());
    client.post(PATH, &body, expected).await
}

/// Places an order and has its payment declined.
pub(crate) async fn decline(orders: &TestOrders, client: &Client, payment_method: &str) {
    let reply = try_order(orders, client, payment_method, CREATED).await;
    let order = orders.find(order_id(&reply)).await.order;
    let events = ExternalEvents::new(orders, &order);
    // Twice, as a queue may deliver it: it is one decline.
    orders.advance(&[&events.declined, &events.declined]).await;
    let ended = orders.find(order.order_id).await.order;
    assert_eq!(ended.status, Status::PaymentFailed);
}

pub(crate) fn retry_after(reply: &Reply) -> i64 {
    assert_eq!(reply.body["code"], "too_many_requests", "{}", reply.body);
    reply.header("retry-after").unwrap().parse().unwrap()
}

pub(crate) fn wait(orders: &TestOrders, seconds: i64) {
    let clock = orders.table.clock();
    clock.advance(SignedDuration::from_secs(seconds));
}

#[tokio::test]
async fn the_61st_order_of_a_person_in_a_minute_is_rejected_before_anything_is_reserved() {
    let orders = TestOrders::with(&[("OPEN_ORDERS_PER_PERSON", "1000")]).await;
    let (ada, bob) = (new_id(), new_id());
    let client = orders.client_of(ada);
    for _ in 0..60 {
        try_order(&orders, &client, "pm_card_visa", CREATED).await;
    }
    let metrics = RecordedMetrics::begin();
    let reply = try_order(&orders, &client, "pm_card_visa", TOO_MANY_REQUESTS).await;
    let expected = [("OrdersRefused[Limit=placement]".to_owned(), 1.0)];
    assert_eq!(metrics.take_untimed(), expected);
    assert_eq!(orders.catalog.calls().len(), 60);
    let other = orders.client_of(bob);
    try_order(&orders, &other, "pm_card_visa", CREATED).await;
    wait(&orders, retry_after(&reply) + 1);
    try_order(&orders, &client, "pm_card_visa", CREATED).await;
}

#[tokio::test]
async fn a_person_with_twenty_open_orders_places_another_when_one_has_ended() {
    let orders = TestOrders::new().await;
    let client = orders.client_of(new_id());
    let mut placed = Vec::new();
    for _ in 0..20 {
        let reply = try_order(&orders, &client, "pm_card_visa", CREATED).await;
        placed.push(order_id(&reply));
    }
    let metrics = RecordedMetrics::begin();
    let reply = try_order(&orders, &client, "pm_card_visa", TOO_MANY_REQUESTS).await;
    assert!((1..=60).contains(&retry_after(&reply)));
    let expected = [("OrdersRefused[Limit=open_person]".to_owned(), 1.0)];
    assert_eq!(metrics.take_untimed(), expected);
    assert_eq!(orders.catalog.calls().len(), 20, "nothing more is reserved");

    let order = orders.find(placed[0]).await.order;
    let events = ExternalEvents::new(&orders, &order);
    let paid = [&events.authorized, &events.committed, &events.captured];
    orders.advance(&paid).await;
    wait(&orders, 60);
    try_order(&orders, &client, "pm_card_visa", CREATED).await;
    try_order(&orders, &client, "pm_card_visa", TOO_MANY_REQUESTS).await;
}

#[tokio::test]
async fn a_hold_whose_order_was_never_written_expires() {
    let orders = TestOrders::with(&[("OPEN_ORDERS_PER_PERSON", "1")]).await;
    let client = orders.client_of(new_id());
    try_order(&orders, &client, "pm_card_visa", CREATED).await;
    try_order(&orders, &client, "pm_card_visa", TOO_MANY_REQUESTS).await;
    wait(&orders, 21 * 60);
    try_order(&orders, &client, "pm_card_visa", CREATED).await;
}

#[tokio::test]
async fn a_repeated_request_counts_as_one_open_order() {
    let orders = TestOrders::with(&[("OPEN_ORDERS_PER_PERSON", "2")]).await;
    let user = new_id();
    let product = orders.catalog.add_product(1_000, 2);
    let (client, body) = (orders.customer(user, "key"), order_body(&[(product, 1)]));
    for _ in 0..3 {
        orders.catalog.fail(Fault::WrongGoods, 1);
        client.post(PATH, &body, INTERNAL_SERVER_ERROR).await;
        wait(&orders, 1);
    }
    client.post(PATH, &body, CREATED).await;
    let client = orders.client_of(user);
    try_order(&orders, &client, "pm_card_visa", CREATED).await;
    try_order(&orders, &client, "pm_card_visa", TOO_MANY_REQUESTS).await;
}

#[tokio::test]
async fn an_order_that_reserves_nothing_leaves_no_hold() {
    let orders = TestOrders::with(&[("OPEN_ORDERS_PER_PERSON", "1")]).await;
    let client = orders.client_of(new_id());
    let few = orders.catalog.add_product(100, 1);
    for key in ["a", "b", "c"] {
        let client = client.with_header("idempotency-key", key);
        client.post(PATH, &order_body(&[(few, 2)]), CONFLICT).await;
    }
    try_order(&orders, &client, "pm_card_visa", CREATED).await;
}

#[tokio::test]
async fn each_declined_payment_after_the_fourth_makes_a_person_wait_twice_as_long() {
    let orders = TestOrders::new().await;
    let client = orders.client_of(new_id());
    for _ in 0..5 {
        decline(&orders, &client, "pm_card_chargeDeclined").await;
    }
    for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
        // Another card and another address do not help.
        let elsewhere = client.from_ip("198.51.100.77");
        let reply = try_order(&orders, &elsewhere, "pm_1Other", TOO_MANY_REQUESTS).await;
        assert_eq!(retry_after(&reply), minutes * 60);
        wait(&orders, minutes * 60 - 1);
        let reply = try_order(&orders, &client, "pm_card_visa", TOO_MANY_REQUESTS).await;
        assert_eq!(retry_after(&reply), 1);
        wait(&orders, 1);
        decline(&orders, &client, "pm_card_chargeDeclined").await;
    }
    wait(&orders, 24 * 3600);
    for _ in 0..4 {
        decline(&orders, &client, "pm_card_chargeDeclined").await;
    }
    try_order(&orders, &client, "pm_card_visa", CREATED).await;
}

#[tokio::test]
async fn a_payment_method_that_is_declined_is_slowed_down_for_everybody() {
    let orders = TestOrders::new().await;
    for _ in 0..5 {
        let client = orders.client_of(new_id());
        decline(&orders, &client, "pm_1Stolen").await;
    }
    let metrics = RecordedMetrics::begin();
    let client = orders.client_of(new_id());
    try_order(&orders, &client, "pm_1Stolen", TOO_MANY_REQUESTS).await;
    let expected = "OrdersRefused[Limit=declined_payment_method]".to_owned();
    assert_eq!(metrics.take_untimed(), [(expected, 1.0)]);
    try_order(&orders, &client, "pm_1Own", CREATED).await;
}

/// A provider's test tokens are everybody's, so they say nothing of anybody.
#[tokio::test]
async fn a_test_card_counts_for_each_person_apart() {
    let orders = TestOrders::new().await;
    for _ in 0..6 {
        let client = orders.client_of(new_id());
        decline(&orders, &client, "pm_card_chargeDeclined").await;
    }
}

#[tokio::test]
async fn an_address_with_many_declined_payments_waits_and_others_do_not() {
    let orders = TestOrders::new().await;
    for _ in 0..20 {
        let client = orders.client_of(new_id()).as_unverified();
        decline(&orders, &client, "pm_card_chargeDeclined").await;
    }
    let client = orders.client_of(new_id()).as_unverified();
    let reply = try_order(&orders, &client, "pm_card_visa", TOO_MANY_REQUESTS).await;
    assert_eq!(retry_after(&reply), 60);
    let elsewhere = client.from_ip("198.51.100.77");
    try_order(&orders, &elsewhere, "pm_card_visa", CREATED).await;
    wait(&orders, 60);
    try_order(&orders, &client, "pm_card_visa", CREATED).await;
}

#[tokio::test]
async fn an_address_that_holds_goods_under_many_accounts_is_limited() {
    let orders = TestOrders::with(&[("OPEN_ORDERS_PER_PERSON", "2")]).await;
    for _ in 0..20 {
        let client = orders.client_of(new_id()).as_unverified();
        try_order(&orders, &client, "pm_card_visa", CREATED).await;
    }
    let client = orders.client_of(new_id()).as_unverified();
    let metrics = RecordedMetrics::begin();
    try_order(&orders, &client, "pm_card_visa", TOO_MANY_REQUESTS).await;
    let refused = "OrdersRefused[Limit=open_address]";
    assert_eq!(metrics.take().get(refused), Some(&1.0));
    let elsewhere = client.from_ip("198.51.100.77");
    try_order(&orders, &elsewhere, "pm_card_visa", CREATED).await;
}

#[tokio::test]
async fn nothing_of_an_address_stays_with_an_order_that_has_ended() {
    let orders = TestOrders::new().await;
    let client = orders.client_of(new_id());
    let reply = try_order(&orders, &client, "pm_1Own", CREATED).await;
    let open = orders.snapshots().await;
    assert!(open[0].get("counted_as").is_some(), "{open:?}");
    let order = orders.find(order_id(&reply)).await.order;
    let events = ExternalEvents::new(&orders, &order);
    orders.advance(&[&events.declined]).await;
    let ended: Vec<Value> = orders.snapshots().await;
    assert!(ended[0].get("counted_as").is_none(), "{ended:?}");
    let stored = format!("{:?}", orders.table.items().await);
    assert!(!stored.contains("203.0.113.7"), "{stored}");
}

#[tokio::test]
async fn an_unverified_buyer_is_told_to_verify_and_then_orders_with_the_same_key() {
    let orders = TestOrders::with(&[("OPEN_ORDERS_PER_PERSON", "1")]).await;
    orders.catalog.limit_unverified(2);
    let (lamp, bulb) = (
        orders.catalog.add_product(1_000, 8),
        orders.catalog.add_product(100, 8),
    );
    let body = order_body(&[(bulb, 1), (lamp, 3)]);
    let verified = orders.customer(new_id(), "key");
    let unverified = verified.as_unverified();
    let metrics = RecordedMetrics::begin();
    let reply = unverified.post(PATH, &body, CONFLICT).await;
    assert_eq!(reply.body["code"], "unverified_limit");
    assert_eq!(reply.invalid_fields(), ["/items/1/quantity"]);
    let refused = "OrdersRefused[Limit=unverified_limit]";
    assert_eq!(metrics.take().get(refused), Some(&1.0));
    // Neither the key nor an open order is left behind.
    assert!(orders.has_no_orders_or_keys().await);
    verified.post(PATH, &body, CREATED).await;
}

#[tokio::test]
async fn an_unverified_buyer_orders_within_the_share() {
    let orders = TestOrders::new().await;
    orders.catalog.limit_unverified(2);
    let lamp = orders.catalog.add_product(1_000, 8);
    let client = orders.customer(new_id(), "key").as_unverified();
    client.post(PATH, &order_body(&[(lamp, 2)]), CREATED).await;
}
