//! `POST /api/orders`: what makes an order and what does not.

use contracts::events::OrderPlaced;
use http::Method;
use kernel::{Currency, PaymentId, ProductId, UserId};
use kernel::Role;
use serde_json::json;
use testkit::{Reply, status::*};

use crate::{
    catalog::Fault,
    shop::{Shop, address, body, buyer, id_of},
};

const PATH: &str = "/api/orders";

#[tokio::test]
async fn an_order_is_placed_held_and_announced() {
    let shop = Shop::open().await;
    let (lamp, pen) = (shop.catalog.stock(1_999, 5), shop.catalog.stock(5, 100));
    let user = testkit::new_id::<UserId>();
    let client =
        buyer(&shop.place_order().await, user, "first").with_header("x-correlation-id", "chain-7");
    let reply = client
        .post(PATH, &body(&[(lamp, 3), (pen, 7)]), CREATED)
        .await;

    let id = id_of(&reply);
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
                {"productId": lamp, "name": "a thing", "quantity": 3, "unitPrice": 19.99, "totalPrice": 59.97},
                {"productId": pen, "name": "a thing", "quantity": 7, "unitPrice": 0.05, "totalPrice": 0.35},
            ],
            "totalAmount": 60.32, "currency": "USD", "shippingAddress": address(),
            "createdAt": "2026-01-05T12:00:00Z", "updatedAt": "2026-01-05T12:00:00Z",
        })
    );
    assert_eq!((shop.catalog.left(lamp), shop.catalog.left(pen)), (2, 93));
    assert_eq!(shop.catalog.holds(), [id]);

    let events = shop.table.events().await;
    assert_eq!(events.len(), 1);
    let placed: OrderPlaced = events[0].read().unwrap();
    assert_eq!((placed.order_id, placed.user_id), (id, user));
    assert_eq!(placed.total.minor(), 6_032);
    assert_eq!(placed.payment_method, "pm_card_visa");
    assert_eq!(events[0].correlationid, "chain-7");
    assert_eq!(events[0].actor, format!("user:{user}"));
    shop.assert_snapshot_is_the_fold(id).await;
}

#[tokio::test]
async fn no_personal_data_is_in_an_event() {
    let shop = Shop::open().await;
    shop.order(testkit::new_id::<UserId>()).await;
    let event = serde_json::to_string(&shop.table.events().await[0]).unwrap();
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
    let shop = Shop::open().await;
    let client = shop.place_order().await;
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
        let product = shop.catalog.stock_in(currency, minor, 3);
        let client = buyer(&client, testkit::new_id::<UserId>(), currency.code());
        let reply = client.post(PATH, &body(&[(product, 3)]), CREATED).await;
        assert_eq!(reply.body["data"]["items"][0]["unitPrice"], unit);
        assert_eq!(reply.body["data"]["totalAmount"], total);
    }
}

#[tokio::test]
async fn fifty_lines_are_one_order() {
    let shop = Shop::open().await;
    let items: Vec<_> = (0..50).map(|_| (shop.catalog.stock(100, 1), 1)).collect();
    let client = buyer(&shop.place_order().await, testkit::new_id::<UserId>(), "many");
    let reply = client.post(PATH, &body(&items), CREATED).await;
    assert_eq!(reply.body["data"]["totalAmount"], json!(50.0));
    shop.assert_snapshot_is_the_fold(id_of(&reply)).await;
}

#[tokio::test]
async fn only_people_with_a_session_may_order() {
    let shop = Shop::open().await;
    let good = body(&[(shop.catalog.stock(1, 1), 1)]);
    let client = shop.place_order().await.with_header("idempotency-key", "k");
    client.post(PATH, &good, UNAUTHORIZED).await;
    client.as_internal().post(PATH, &good, FORBIDDEN).await;
    assert!(shop.table.items().await.is_empty());
}

#[tokio::test]
async fn faults_are_refused_in_their_order_and_leave_nothing() {
    let shop = Shop::open().await;
    let nobody = shop
        .place_order()
        .await
        .as_user(testkit::new_id::<UserId>(), Role::User);
    let client = nobody.with_header("idempotency-key", "k");
    let code = |reply: Reply| reply.body["code"].as_str().unwrap().to_owned();

    let text = nobody.with_header("content-type", "text/plain");
    let reply = text
        .send(Method::POST, PATH, Some("{".into()), UNSUPPORTED_MEDIA_TYPE)
        .await;
    assert_eq!(code(reply), "unsupported_media_type");
    let reply = nobody
        .send(Method::POST, PATH, Some("{".into()), BAD_REQUEST)
        .await;
    assert_eq!(code(reply), "idempotency_key_required");
    let long = nobody.with_header("idempotency-key", &"k".repeat(256));
    let reply = long
        .send(Method::POST, PATH, Some("{".into()), BAD_REQUEST)
        .await;
    assert_eq!(code(reply), "idempotency_key_invalid");
    let reply = client
        .send(Method::POST, PATH, Some("{".into()), BAD_REQUEST)
        .await;
    assert_eq!(code(reply), "malformed_json");

    let product = testkit::new_id::<ProductId>();
    let mut wrong = body(&[(product, 0), (product, 1)]);
    wrong["shippingAddress"]["country"] = json!("Britain");
    wrong["paymentMethod"] = json!("4242 4242 4242 4242");
    let reply = client.post(PATH, &wrong, UNPROCESSABLE_ENTITY).await;
    let expected = [
        "/items/0/quantity",
        "/shippingAddress/country",
        "/paymentMethod",
    ];
    assert_eq!(reply.invalid_fields(), expected);
    let reply = client
        .post(
            PATH,
            &body(&[(product, 1), (product, 1)]),
            UNPROCESSABLE_ENTITY,
        )
        .await;
    assert_eq!(reply.invalid_fields(), ["/items/1/productId"]);
    assert_eq!(code(reply), "validation_failed");

    assert!(shop.table.items().await.is_empty());
    assert!(shop.catalog.asked().is_empty());
}

#[tokio::test]
async fn short_stock_names_each_line_and_the_key_stays_free() {
    let shop = Shop::open().await;
    let (few, none, many) = (
        shop.catalog.stock(100, 3),
        shop.catalog.stock(100, 0),
        shop.catalog.stock(100, 9),
    );
    let client = buyer(&shop.place_order().await, testkit::new_id::<UserId>(), "k");
    let wanted = body(&[(many, 9), (few, 4), (none, 1)]);
    let reply = client.post(PATH, &wanted, CONFLICT).await;
    assert_eq!(reply.body["code"], "insufficient_stock");
    assert_eq!(
        reply.body["errors"],
        json!([
            {"field": "/items/1/quantity", "message": "only 3 available"},
            {"field": "/items/2/quantity", "message": "only 0 available"},
        ])
    );
    assert!(shop.table.items().await.is_empty(), "nothing is kept");
    assert_eq!(shop.catalog.left(many), 9, "all lines or none");

    shop.catalog.restock(few, 4);
    shop.catalog.restock(none, 1);
    client.post(PATH, &wanted, CREATED).await;
}

#[tokio::test]
async fn a_product_that_is_not_there_is_a_fault_of_the_request() {
    let shop = Shop::open().await;
    let few = shop.catalog.stock(100, 1);
    let client = buyer(&shop.place_order().await, testkit::new_id::<UserId>(), "k");
    let wanted = body(&[(few, 2), (testkit::new_id::<ProductId>(), 1)]);
    let reply = client.post(PATH, &wanted, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/items/1/productId"]);
    assert!(shop.table.items().await.is_empty());
}

#[tokio::test]
async fn one_order_is_in_one_currency() {
    let shop = Shop::open().await;
    let dollars = shop.catalog.stock(100, 1);
    let euros = shop.catalog.stock_in(Currency::EUR, 100, 1);
    let client = buyer(&shop.place_order().await, testkit::new_id::<UserId>(), "k");
    let wanted = body(&[(dollars, 1), (euros, 1)]);
    for _ in 0..2 {
        let reply = client.post(PATH, &wanted, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), ["/items/1/productId"]);
    }
    assert!(shop.orders().await.is_empty());
    assert_eq!(shop.catalog.holds().len(), 1, "a retry does not hold more");
}

#[tokio::test]
async fn a_total_past_what_an_amount_can_be_is_refused() {
    let shop = Shop::open().await;
    let dear = shop.catalog.stock(60_000_000_000, 2);
    let client = buyer(&shop.place_order().await, testkit::new_id::<UserId>(), "k");
    let reply = client
        .post(PATH, &body(&[(dear, 2)]), UNPROCESSABLE_ENTITY)
        .await;
    assert_eq!(reply.invalid_fields(), ["/items"]);
}

#[tokio::test]
async fn a_catalog_that_is_down_is_503_and_the_retry_finds_its_own_hold() {
    for (fault, calls) in [
        (Fault::FunctionError, 1),
        (Fault::Status500, 3),
        (Fault::ClosedBefore, 3),
        (Fault::ClosedAfter, 3),
        (Fault::Nonsense, 1),
    ] {
        let shop = Shop::open().await;
        let product = shop.catalog.stock(100, 5);
        let client = buyer(&shop.place_order().await, testkit::new_id::<UserId>(), "k");
        shop.catalog.fail(fault, calls);
        let reply = client
            .post(PATH, &body(&[(product, 2)]), SERVICE_UNAVAILABLE)
            .await;
        assert_eq!(reply.body["service"], "catalog", "{fault:?}");
        assert!(reply.header("retry-after").is_some(), "{fault:?}");
        assert!(!reply.body.to_string().contains("secret detail"));
        assert!(shop.orders().await.is_empty(), "{fault:?}");
        assert_eq!(
            shop.catalog.asked().len(),
            usize::try_from(calls).unwrap(),
            "{fault:?}"
        );

        // At once, without waiting for the claim to run out.
        let reply = client.post(PATH, &body(&[(product, 2)]), CREATED).await;
        assert_eq!(reply.header("idempotency-replayed"), None);
        assert_eq!(
            shop.catalog.asked()[0],
            id_of(&reply),
            "{fault:?}: the same order"
        );
        assert_eq!(shop.catalog.left(product), 3, "{fault:?}: held once");
        assert_eq!(shop.orders().await.len(), 1);
    }
}

#[tokio::test]
async fn a_catalog_that_cannot_be_reached_is_503() {
    let mut shop = Shop::open().await;
    shop.table
        .set("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9");
    let client = buyer(&shop.place_order().await, testkit::new_id::<UserId>(), "k");
    let reply = client
        .post(
            PATH,
            &body(&[(testkit::new_id::<ProductId>(), 1)]),
            SERVICE_UNAVAILABLE,
        )
        .await;
    assert_eq!(reply.body["service"], "catalog");
    assert!(shop.orders().await.is_empty());
}

#[tokio::test]
async fn a_lost_answer_of_the_catalog_is_asked_for_again() {
    let shop = Shop::open().await;
    let product = shop.catalog.stock(100, 5);
    let client = buyer(&shop.place_order().await, testkit::new_id::<UserId>(), "k");
    shop.catalog.fail(Fault::ClosedAfter, 1);
    let reply = client.post(PATH, &body(&[(product, 2)]), CREATED).await;
    assert_eq!(shop.catalog.asked(), [id_of(&reply), id_of(&reply)]);
    assert_eq!(shop.catalog.left(product), 3);
}

#[tokio::test]
async fn goods_other_than_asked_for_are_never_ordered() {
    let shop = Shop::open().await;
    let product = shop.catalog.stock(100, 5);
    let client = buyer(&shop.place_order().await, testkit::new_id::<UserId>(), "k");
    shop.catalog.fail(Fault::OtherGoods, 1);
    let reply = client
        .post(
            PATH,
            &body(&[(product, 2)]),
            StatusCode::INTERNAL_SERVER_ERROR,
        )
        .await;
    assert_eq!(reply.body["code"], "internal_error");
    assert!(shop.orders().await.is_empty());
}
