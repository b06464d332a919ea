//! `POST /api/orders`: which requests place an order.

use contracts::events::OrderPlaced;
use http::Method;
use kernel::{Currency, PaymentId, ProductId, UserId};
use serde_json::json;
use testkit::{Reply, new_id, status::*};

use crate::{
    fixture::{PATH, TestOrders, address, order_body, order_id},
    stub_catalog::Fault,
};

#[tokio::test]
async fn an_order_is_placed_with_its_goods_reserved_and_its_event_published() {
    let orders = TestOrders::new().await;
    let (lamp, pen) = (
        orders.catalog.add_product(1_999, 5),
        orders.catalog.add_product(5, 100),
    );
    let user: UserId = new_id();
    let client = orders.customer(user, "key");
    let client = client.with_header("x-correlation-id", "correlation-7");
    let reply = client
        .post(PATH, &order_body(&[(lamp, 3), (pen, 7)]), CREATED)
        .await;

    let id = order_id(&reply);
    let payment_id = &reply.body["data"]["paymentId"];
    assert_eq!(
        reply.header("location"),
        Some(&*format!("/api/orders/{id}"))
    );
    assert_eq!(reply.header("idempotency-replayed"), None);
    assert!(payment_id.as_str().unwrap().parse::<PaymentId>().is_ok());
    assert_eq!(
        reply.body["data"],
        json!({
            "id": id, "status": "pending", "paymentId": payment_id,
            "items": [
                {"productId": lamp, "name": "Lamp", "quantity": 3, "unitPrice": 19.99, "totalPrice": 59.97},
                {"productId": pen, "name": "Lamp", "quantity": 7, "unitPrice": 0.05, "totalPrice": 0.35},
            ],
            "totalAmount": 60.32, "currency": "USD", "shippingAddress": address(),
            "createdAt": "2026-01-05T12:00:00Z", "updatedAt": "2026-01-05T12:00:00Z",
        })
    );
    assert_eq!(
        (orders.catalog.stock(lamp), orders.catalog.stock(pen)),
        (2, 93)
    );
    assert_eq!(orders.catalog.reservations(), [id]);

    let events = orders.table.events().await;
    assert_eq!(events.len(), 1);
    let placed: OrderPlaced = events[0].read().unwrap();
    assert_eq!((placed.order_id, placed.user_id), (id, user));
    assert_eq!(placed.total.minor(), 6_032);
    assert_eq!(placed.payment_method, "pm_card_visa");
    let ours = reply.header("x-correlation-id").unwrap();
    assert_eq!(events[0].correlationid, ours);
    let clients = events[0].clientcorrelationid.as_deref();
    assert_eq!(clients, Some("correlation-7"));
    assert_eq!(events[0].actor, format!("user:{user}"));
    orders.assert_snapshot_is_the_fold(id).await;
}

#[tokio::test]
async fn no_personal_data_is_in_an_event() {
    let orders = TestOrders::new().await;
    orders.place(new_id()).await;
    let event = serde_json::to_string(&orders.table.events().await[0]).unwrap();
    for text in [
        "Lovelace",
        "James",
        "London",
        "SW1Y",
        "GB",
        "shippingAddress",
    ] {
        assert!(!event.contains(text), "{text} is in {event}");
    }
}

#[tokio::test]
async fn amounts_are_exact_in_every_currency() {
    let orders = TestOrders::new().await;
    for (currency, minor, unit, total) in [
        (Currency::JPY, 1_234, json!(1234), json!(3702)),
        (Currency::KWD, 1_001, json!(1.001), json!(3.003)),
        (
            Currency::USD,
            99_999_999_999 / 3,
            json!(333333333.33),
            json!(999999999.99),
        ),
        (Currency::USD, 0, json!(0.0), json!(0.0)),
    ] {
        let product = orders.catalog.add_product_in(currency, minor, 3);
        let client = orders.customer(new_id(), currency.code());
        let reply = client
            .post(PATH, &order_body(&[(product, 3)]), CREATED)
            .await;
        assert_eq!(reply.body["data"]["items"][0]["unitPrice"], unit);
        assert_eq!(reply.body["data"]["totalAmount"], total);
    }
}

#[tokio::test]
async fn an_order_may_have_fifty_lines() {
    let orders = TestOrders::new().await;
    let items: Vec<_> = (0..50)
        .map(|_| (orders.catalog.add_product(100, 1), 1))
        .collect();
    let client = orders.customer(new_id(), "key");
    let reply = client.post(PATH, &order_body(&items), CREATED).await;
    assert_eq!(reply.body["data"]["totalAmount"], json!(50.0));
    orders.assert_snapshot_is_the_fold(order_id(&reply)).await;
}

#[tokio::test]
async fn only_a_signed_in_user_may_order() {
    let orders = TestOrders::new().await;
    let body = order_body(&[(orders.catalog.add_product(1, 1), 1)]);
    let client = orders.client().with_header("idempotency-key", "key");
    client.post(PATH, &body, UNAUTHORIZED).await;
    client.as_internal().post(PATH, &body, FORBIDDEN).await;
    assert!(orders.has_no_orders_or_keys().await);
}

#[tokio::test]
async fn an_invalid_request_is_rejected_without_a_trace() {
    let orders = TestOrders::new().await;
    let without_key = orders.client_of(new_id());
    let client = without_key.with_header("idempotency-key", "key");
    let code = |reply: Reply| reply.body["code"].as_str().unwrap().to_owned();

    let malformed = || Some("{".to_owned());
    let text = without_key.with_header("content-type", "text/plain");
    let reply = text.send(Method::POST, PATH, malformed(), UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(code(reply.await), "unsupported_media_type");
    let reply = without_key.send(Method::POST, PATH, malformed(), BAD_REQUEST);
    assert_eq!(code(reply.await), "idempotency_key_required");
    let long_key = without_key.with_header("idempotency-key", &"k".repeat(256));
    let reply = long_key.send(Method::POST, PATH, malformed(), BAD_REQUEST);
    assert_eq!(code(reply.await), "idempotency_key_invalid");
    let reply = client.send(Method::POST, PATH, malformed(), BAD_REQUEST);
    assert_eq!(code(reply.await), "malformed_json");

    let product: ProductId = new_id();
    let mut invalid = order_body(&[(product, 0), (product, 1)]);
    invalid["shippingAddress"]["country"] = json!("Britain");
    invalid["paymentMethod"] = json!("4242 4242 4242 4242");
    let reply = client.post(PATH, &invalid, UNPROCESSABLE_ENTITY).await;
    let expected = [
        "/items/0/quantity",
        "/shippingAddress/country",
        "/paymentMethod",
    ];
    assert_eq!(reply.invalid_fields(), expected);
    let duplicate = order_body(&[(product, 1), (product, 1)]);
    let reply = client.post(PATH, &duplicate, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/items/1/productId"]);
    assert_eq!(code(reply), "validation_failed");

    assert!(orders.has_no_orders_or_keys().await);
    assert!(orders.catalog.calls().is_empty());
}

#[tokio::test]
async fn insufficient_stock_names_each_short_line_and_leaves_the_key_free() {
    let orders = TestOrders::new().await;
    let (few, none, many) = (
        orders.catalog.add_product(100, 3),
        orders.catalog.add_product(100, 0),
        orders.catalog.add_product(100, 9),
    );
    let client = orders.customer(new_id(), "key");
    let body = order_body(&[(many, 9), (few, 4), (none, 1)]);
    let reply = client.post(PATH, &body, CONFLICT).await;
    assert_eq!(reply.body["code"], "insufficient_stock");
    assert_eq!(
        reply.body["errors"],
        json!([
            {"field": "/items/1/quantity", "message": "only 3 available"},
            {"field": "/items/2/quantity", "message": "only 0 available"},
        ])
    );
    assert!(orders.has_no_orders_or_keys().await, "the key is free");
    assert_eq!(orders.catalog.stock(many), 9, "all lines or none");

    orders.catalog.set_stock(few, 4);
    orders.catalog.set_stock(none, 1);
    client.post(PATH, &body, CREATED).await;
}

#[tokio::test]
async fn an_unknown_product_is_an_error_in_the_request() {
    let orders = TestOrders::new().await;
    let few = orders.catalog.add_product(100, 1);
    let client = orders.customer(new_id(), "key");
    let body = order_body(&[(few, 2), (new_id(), 1)]);
    let reply = client.post(PATH, &body, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/items/1/productId"]);
    assert!(orders.has_no_orders_or_keys().await);
}

#[tokio::test]
async fn an_order_in_two_currencies_is_rejected() {
    let orders = TestOrders::new().await;
    let dollars = orders.catalog.add_product(100, 1);
    let euros = orders.catalog.add_product_in(Currency::EUR, 100, 1);
    let client = orders.customer(new_id(), "key");
    let body = order_body(&[(dollars, 1), (euros, 1)]);
    for _ in 0..2 {
        let reply = client.post(PATH, &body, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), ["/items/1/productId"]);
    }
    // The goods are left to the next buyer, and the key to another body.
    assert!(orders.has_no_orders_or_keys().await);
    assert!(orders.catalog.reservations().is_empty());
    let other = orders.customer(new_id(), "other");
    other
        .post(PATH, &order_body(&[(dollars, 1)]), CREATED)
        .await;
    client.post(PATH, &order_body(&[(euros, 1)]), CREATED).await;
}

/// While a deployment runs. Its goods stay reserved, and the order counts as open.
#[tokio::test]
async fn an_invalid_order_whose_goods_an_older_catalog_reserves_is_rejected() {
    let orders = TestOrders::with(&[("OPEN_ORDERS_PER_PERSON", "1")]).await;
    let dollars = orders.catalog.add_product(100, 2);
    let euros = orders.catalog.add_product_in(Currency::EUR, 100, 1);
    let user = new_id();
    let client = orders.customer(user, "key");
    let body = order_body(&[(dollars, 1), (euros, 1)]);
    orders.catalog.fail(Fault::Older, 1);
    for _ in 0..2 {
        let reply = client.post(PATH, &body, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), ["/items/1/productId"]);
    }
    assert!(orders.snapshots().await.is_empty());
    assert_eq!(
        orders.catalog.reservations().len(),
        1,
        "the retry reserves nothing more"
    );
    let client = orders.customer(user, "other");
    let body = order_body(&[(dollars, 1)]);
    client.post(PATH, &body, TOO_MANY_REQUESTS).await;
}

#[tokio::test]
async fn a_total_over_the_maximum_is_rejected() {
    let orders = TestOrders::new().await;
    let expensive = orders.catalog.add_product(60_000_000_000, 2);
    let client = orders.customer(new_id(), "key");
    let reply = client
        .post(PATH, &order_body(&[(expensive, 2)]), UNPROCESSABLE_ENTITY)
        .await;
    assert_eq!(
        reply.body["errors"],
        json!([{"field": "/items", "message": "exceed the maximum order total"}])
    );
    assert_eq!(orders.catalog.stock(expensive), 2);
    assert!(orders.has_no_orders_or_keys().await);
}

#[tokio::test]
async fn orders_that_cannot_be_placed_do_not_count_as_open() {
    let orders = TestOrders::with(&[("OPEN_ORDERS_PER_PERSON", "1")]).await;
    let dollars = orders.catalog.add_product(100, 1);
    let euros = orders.catalog.add_product_in(Currency::EUR, 100, 1);
    let client = orders.client_of(new_id());
    for key in ["a", "b"] {
        let client = client.with_header("idempotency-key", key);
        let body = order_body(&[(dollars, 1), (euros, 1)]);
        client.post(PATH, &body, UNPROCESSABLE_ENTITY).await;
    }
    let client = client.with_header("idempotency-key", "c");
    client
        .post(PATH, &order_body(&[(dollars, 1)]), CREATED)
        .await;
}

#[tokio::test]
async fn a_failure_of_catalog_is_503_and_the_retry_finds_its_own_reservation() {
    for (fault, calls) in [
        (Fault::FunctionError, 1),
        (Fault::Status500, 3),
        (Fault::ClosedBeforeRun, 3),
        (Fault::ClosedAfterRun, 3),
        (Fault::InvalidReply, 1),
    ] {
        let orders = TestOrders::new().await;
        let product = orders.catalog.add_product(100, 5);
        let body = order_body(&[(product, 2)]);
        let client = orders.customer(new_id(), "key");
        orders.catalog.fail(fault, calls);
        let reply = client.post(PATH, &body, SERVICE_UNAVAILABLE).await;
        assert_eq!(reply.body["service"], "catalog", "{fault:?}");
        assert!(reply.header("retry-after").is_some(), "{fault:?}");
        assert!(!reply.body.to_string().contains("secret detail"));
        assert!(orders.snapshots().await.is_empty(), "{fault:?}");
        assert_eq!(
            orders.catalog.calls().len(),
            usize::try_from(calls).unwrap(),
            "{fault:?}"
        );

        // At once, without waiting for the claim to expire.
        let reply = client.post(PATH, &body, CREATED).await;
        assert_eq!(reply.header("idempotency-replayed"), None);
        assert_eq!(
            orders.catalog.calls()[0],
            order_id(&reply),
            "{fault:?}: the same order"
        );
        assert_eq!(orders.catalog.stock(product), 3, "{fault:?}: reserved once");
        assert_eq!(orders.snapshots().await.len(), 1);
    }
}

/// More in a row than open the circuit: an answer says nothing against catalog.
#[tokio::test]
async fn contended_goods_are_503_and_say_nothing_of_other_goods() {
    let orders = TestOrders::new().await;
    let (hot, other) = (
        orders.catalog.add_product(100, 5),
        orders.catalog.add_product(100, 5),
    );
    orders.catalog.fail(Fault::Contended, 8);
    let body = order_body(&[(hot, 2)]);
    let client = orders.customer(new_id(), "key");
    for _ in 0..8 {
        let reply = client.post(PATH, &body, SERVICE_UNAVAILABLE).await;
        assert!(reply.header("retry-after").is_some());
    }
    // The key is free, and nothing counts as an open order.
    client.post(PATH, &body, CREATED).await;
    let client = orders.customer(new_id(), "key");
    let body = order_body(&[(other, 1)]);
    client.post(PATH, &body, CREATED).await;
    assert_eq!(orders.catalog.reservations().len(), 2);
}

#[tokio::test]
async fn an_unreachable_catalog_is_503() {
    let unreachable = ("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9");
    let orders = TestOrders::with(&[unreachable]).await;
    let client = orders.customer(new_id(), "key");
    let body = order_body(&[(new_id(), 1)]);
    let reply = client.post(PATH, &body, SERVICE_UNAVAILABLE).await;
    assert_eq!(reply.body["service"], "catalog");
    assert!(orders.snapshots().await.is_empty());
}

#[tokio::test]
async fn a_lost_reply_of_catalog_is_requested_again() {
    let orders = TestOrders::new().await;
    let product = orders.catalog.add_product(100, 5);
    let client = orders.customer(new_id(), "key");
    orders.catalog.fail(Fault::ClosedAfterRun, 1);
    let reply = client
        .post(PATH, &order_body(&[(product, 2)]), CREATED)
        .await;
    assert_eq!(orders.catalog.calls(), [order_id(&reply), order_id(&reply)]);
    assert_eq!(orders.catalog.stock(product), 3);
}

#[tokio::test]
async fn a_reservation_of_other_goods_never_becomes_an_order() {
    let orders = TestOrders::new().await;
    let product = orders.catalog.add_product(100, 5);
    let client = orders.customer(new_id(), "key");
    orders.catalog.fail(Fault::WrongGoods, 1);
    let body = order_body(&[(product, 2)]);
    let reply = client.post(PATH, &body, INTERNAL_SERVER_ERROR).await;
    assert_eq!(reply.body["code"], "internal_error");
    assert!(orders.snapshots().await.is_empty());
}
