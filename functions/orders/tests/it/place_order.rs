//! `POST /api/orders`.

use contracts::{Envelope, events::OrderPlaced};
use dynamo::{
    CommitError,
    idempotency::{Claim, ClaimError, Claimed},
};
use futures_util::future::join_all;
use http::Method;
use kernel::{Actor, Cause, Currency, OrderId, PaymentId, ProductId, SignedDuration, UserId};
use orders::{
    domain::{Order, Placing, place},
    store::StoredOrder,
};
use runtime::http::{Idempotent, StoredReply};
use serde_json::{Value, json};
use testkit::status::*;

use crate::{
    catalog::Fault,
    shop::{Shop, address, body, buyer},
};

const PATH: &str = "/api/orders";

fn id_of(reply: &testkit::Reply) -> OrderId {
    reply.body["data"]["id"].as_str().unwrap().parse().unwrap()
}

async fn orders(shop: &Shop) -> Vec<Value> {
    shop.table.items_of("ORDER#", "ORDER").await
}

#[tokio::test]
async fn an_order_is_placed_held_and_announced() {
    let shop = Shop::open().await;
    let (lamp, pen) = (shop.catalog.stock(1_999, 5), shop.catalog.stock(5, 100));
    let user = UserId::generate();
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
    shop.order(UserId::generate()).await;
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
        let client = buyer(&client, UserId::generate(), currency.code());
        let reply = client.post(PATH, &body(&[(product, 3)]), CREATED).await;
        assert_eq!(reply.body["data"]["items"][0]["unitPrice"], unit);
        assert_eq!(reply.body["data"]["totalAmount"], total);
    }
}

#[tokio::test]
async fn fifty_lines_are_one_order() {
    let shop = Shop::open().await;
    let items: Vec<_> = (0..50).map(|_| (shop.catalog.stock(100, 1), 1)).collect();
    let client = buyer(&shop.place_order().await, UserId::generate(), "many");
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
        .as_user(UserId::generate(), runtime::http::Role::User);
    let client = nobody.with_header("idempotency-key", "k");
    let code = |reply: testkit::Reply| reply.body["code"].as_str().unwrap().to_owned();

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

    let product = ProductId::generate();
    let mut wrong = body(&[(product, 0), (product, 1)]);
    wrong["shippingAddress"]["country"] = json!("Britain");
    wrong["paymentMethod"] = json!("4242 4242 4242 4242");
    let reply = client.post(PATH, &wrong, UNPROCESSABLE_ENTITY).await;
    let expected = [
        "/items/0/quantity",
        "/shippingAddress/country",
        "/paymentMethod",
    ];
    assert_eq!(reply.refused_fields(), expected);
    let reply = client
        .post(
            PATH,
            &body(&[(product, 1), (product, 1)]),
            UNPROCESSABLE_ENTITY,
        )
        .await;
    assert_eq!(reply.refused_fields(), ["/items/1/productId"]);
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
    let client = buyer(&shop.place_order().await, UserId::generate(), "k");
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
    let client = buyer(&shop.place_order().await, UserId::generate(), "k");
    let wanted = body(&[(few, 2), (ProductId::generate(), 1)]);
    let reply = client.post(PATH, &wanted, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.refused_fields(), ["/items/1/productId"]);
    assert!(shop.table.items().await.is_empty());
}

#[tokio::test]
async fn one_order_is_in_one_currency() {
    let shop = Shop::open().await;
    let dollars = shop.catalog.stock(100, 1);
    let euros = shop.catalog.stock_in(Currency::EUR, 100, 1);
    let client = buyer(&shop.place_order().await, UserId::generate(), "k");
    let wanted = body(&[(dollars, 1), (euros, 1)]);
    for _ in 0..2 {
        let reply = client.post(PATH, &wanted, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.refused_fields(), ["/items/1/productId"]);
    }
    assert!(orders(&shop).await.is_empty());
    assert_eq!(shop.catalog.holds().len(), 1, "a retry does not hold more");
}

#[tokio::test]
async fn a_total_past_what_an_amount_can_be_is_refused() {
    let shop = Shop::open().await;
    let dear = shop.catalog.stock(60_000_000_000, 2);
    let client = buyer(&shop.place_order().await, UserId::generate(), "k");
    let reply = client
        .post(PATH, &body(&[(dear, 2)]), UNPROCESSABLE_ENTITY)
        .await;
    assert_eq!(reply.refused_fields(), ["/items"]);
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
        let client = buyer(&shop.place_order().await, UserId::generate(), "k");
        shop.catalog.fail(fault, calls);
        let reply = client
            .post(PATH, &body(&[(product, 2)]), SERVICE_UNAVAILABLE)
            .await;
        assert_eq!(reply.body["service"], "catalog", "{fault:?}");
        assert!(reply.header("retry-after").is_some(), "{fault:?}");
        assert!(!reply.body.to_string().contains("secret detail"));
        assert!(orders(&shop).await.is_empty(), "{fault:?}");
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
        assert_eq!(orders(&shop).await.len(), 1);
    }
}

#[tokio::test]
async fn a_catalog_that_cannot_be_reached_is_503() {
    let mut shop = Shop::open().await;
    shop.table
        .set("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9");
    let client = buyer(&shop.place_order().await, UserId::generate(), "k");
    let reply = client
        .post(
            PATH,
            &body(&[(ProductId::generate(), 1)]),
            SERVICE_UNAVAILABLE,
        )
        .await;
    assert_eq!(reply.body["service"], "catalog");
    assert!(orders(&shop).await.is_empty());
}

#[tokio::test]
async fn a_lost_answer_of_the_catalog_is_asked_for_again() {
    let shop = Shop::open().await;
    let product = shop.catalog.stock(100, 5);
    let client = buyer(&shop.place_order().await, UserId::generate(), "k");
    shop.catalog.fail(Fault::ClosedAfter, 1);
    let reply = client.post(PATH, &body(&[(product, 2)]), CREATED).await;
    assert_eq!(shop.catalog.asked(), [id_of(&reply), id_of(&reply)]);
    assert_eq!(shop.catalog.left(product), 3);
}

#[tokio::test]
async fn goods_other_than_asked_for_are_never_ordered() {
    let shop = Shop::open().await;
    let product = shop.catalog.stock(100, 5);
    let client = buyer(&shop.place_order().await, UserId::generate(), "k");
    shop.catalog.fail(Fault::OtherGoods, 1);
    let reply = client
        .post(
            PATH,
            &body(&[(product, 2)]),
            StatusCode::INTERNAL_SERVER_ERROR,
        )
        .await;
    assert_eq!(reply.body["code"], "internal_error");
    assert!(orders(&shop).await.is_empty());
}

#[tokio::test]
async fn the_same_key_and_body_get_the_same_reply() {
    let shop = Shop::open().await;
    let product = shop.catalog.stock(100, 9);
    let user = UserId::generate();
    let client = buyer(&shop.place_order().await, user, "k");
    let wanted = body(&[(product, 2)]);
    let first = client.post(PATH, &wanted, CREATED).await;
    let again = client.post(PATH, &wanted, CREATED).await;
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(shop.catalog.asked().len(), 1);

    let reply = client
        .post(PATH, &body(&[(product, 3)]), UNPROCESSABLE_ENTITY)
        .await;
    assert_eq!(reply.body["code"], "idempotency_key_reused");

    // Another key, another person, another day: other intentions.
    let mut ids = vec![id_of(&first)];
    ids.push(id_of(
        &buyer(&client, user, "other")
            .post(PATH, &wanted, CREATED)
            .await,
    ));
    ids.push(id_of(
        &buyer(&client, UserId::generate(), "k")
            .post(PATH, &wanted, CREATED)
            .await,
    ));
    shop.clock.advance(SignedDuration::from_hours(24));
    shop.catalog.restock(product, 2);
    ids.push(id_of(&client.post(PATH, &wanted, CREATED).await));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    assert_eq!(orders(&shop).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_posts_with_one_key_are_one_order() {
    for round in 0..5 {
        let shop = Shop::open().await;
        let product = shop.catalog.stock(100, 64);
        let user = UserId::generate();
        // Each from a function of its own, as Lambda would run them.
        let clients = join_all((0..16).map(|_| shop.place_order())).await;
        let posts = clients.iter().map(|client| {
            let client = buyer(client, user, "k");
            let wanted = body(&[(product, 2)]).to_string();
            tokio::spawn(client.exchange(Method::POST, PATH, Some(wanted)))
        });
        let replies = join_all(posts).await;
        let (mut made, mut replayed) = (0, 0);
        for reply in replies.into_iter().map(Result::unwrap) {
            match (reply.status.as_u16(), reply.header("idempotency-replayed")) {
                (201, None) => made += 1,
                (201, Some(_)) => replayed += 1,
                (409, None) => assert_eq!(reply.body["code"], "idempotency_in_progress"),
                other => panic!("{other:?}: {}", reply.body),
            }
        }
        assert_eq!(made, 1, "round {round}, {replayed} replayed");
        assert_eq!(orders(&shop).await.len(), 1);
        assert_eq!(shop.table.event_types().await, ["order.placed"]);
        assert_eq!(shop.catalog.left(product), 62);
    }
}

#[tokio::test]
async fn a_death_between_hold_and_write_makes_the_same_order_later() {
    let shop = Shop::open().await;
    let product = shop.catalog.stock(100, 5);
    let user = UserId::generate();
    let wanted = body(&[(product, 2)]);
    let client = buyer(&shop.place_order().await, user, "k");
    shop.catalog.fail(Fault::SilentAfter, 1);
    let post = tokio::spawn(client.exchange(Method::POST, PATH, Some(wanted.to_string())));
    shop.catalog.silent.notified().await;
    post.abort();
    assert!(post.await.unwrap_err().is_cancelled());
    let held = shop.catalog.holds();
    assert_eq!(held.len(), 1);

    // The first could still be running: nobody may act beside it.
    let client = buyer(&shop.place_order().await, user, "k");
    shop.clock.advance(SignedDuration::from_millis(14_999));
    let reply = client.post(PATH, &wanted, CONFLICT).await;
    assert_eq!(reply.body["code"], "idempotency_in_progress");
    assert!(reply.header("retry-after").is_some());

    // Now it cannot.
    shop.clock.advance(SignedDuration::from_millis(1));
    let reply = client.post(PATH, &wanted, CREATED).await;
    assert_eq!([id_of(&reply)], *held, "the same order");
    assert_eq!(shop.catalog.left(product), 3, "held once");
    assert_eq!(orders(&shop).await.len(), 1);
}

#[tokio::test]
async fn a_hold_that_ran_out_is_said_and_the_key_orders_anew() {
    let shop = Shop::open().await;
    let product = shop.catalog.stock(100, 5);
    let wanted = body(&[(product, 2)]);
    let client = buyer(&shop.place_order().await, UserId::generate(), "k");
    shop.catalog.fail(Fault::ClosedAfter, 3);
    client.post(PATH, &wanted, SERVICE_UNAVAILABLE).await;
    shop.catalog.expire_holds();

    let reply = client.post(PATH, &wanted, CONFLICT).await;
    assert_eq!(reply.body["code"], "reservation_expired");
    assert!(shop.table.items().await.is_empty());
    let reply = client.post(PATH, &wanted, CREATED).await;
    assert_ne!(shop.catalog.asked()[0], id_of(&reply));
    assert_eq!(shop.catalog.left(product), 3);
}

/// An order as `place-order` would write it, for the store's own tests.
fn ready(user_id: UserId, order_id: OrderId) -> (StoredOrder, Envelope, StoredReply) {
    let placed = place(Placing {
        order_id,
        user_id,
        payment_id: PaymentId::generate(),
        payment_method: "pm_card_visa".into(),
        asked: vec![contracts::events::Quantity {
            product_id: ProductId::from(*order_id.as_uuid()),
            quantity: 1,
        }],
        held: vec![contracts::events::OrderLine {
            product_id: ProductId::from(*order_id.as_uuid()),
            name: "a thing".into(),
            quantity: 1,
            unit_price: kernel::Money::new(100, Currency::USD).unwrap(),
        }],
        held_until: "2026-01-05T12:15:00Z".parse().unwrap(),
    });
    let placed = placed.unwrap();
    let cause = Cause {
        correlation_id: "chain".into(),
        causation_id: "request".into(),
        actor: Actor::User(user_id),
    };
    let event = Envelope::new(&placed, "2026-01-05T12:00:00Z".parse().unwrap(), &cause);
    let order = Order::begin(placed, event.time);
    let stored = StoredOrder::new(order, serde_json::from_value(address()).unwrap());
    let reply = StoredReply {
        status: 201,
        location: Some(format!("/api/orders/{order_id}")),
        body: format!(r#"{{"data":{{"id":"{order_id}"}}}}"#),
        replayed: false,
    };
    (stored, event, reply)
}

async fn claim(shop: &Shop, user: UserId) -> Result<Claimed, ClaimError> {
    let key = key("k").await;
    shop.store()
        .claim(user, &key, "print", OrderId::generate(), shop.clock.now())
        .await
}

async fn mine(shop: &Shop, user: UserId) -> Claim {
    match claim(shop, user).await.unwrap() {
        Claimed::Mine(claim) => claim,
        Claimed::Replay(reply) => panic!("{reply:?}"),
    }
}

/// A key, as the extractor reads it.
async fn key(text: &str) -> runtime::http::IdempotencyKey {
    use axum::extract::FromRequest;
    struct Anything;
    impl kernel::input::FromInput for Anything {
        fn from_input(_: kernel::input::Value<'_>) -> Result<Self, kernel::input::Refusals> {
            Ok(Self)
        }
    }
    let request = http::Request::post("/")
        .header("content-type", "application/json")
        .header("idempotency-key", text)
        .body(axum::body::Body::from("{}"))
        .unwrap();
    Idempotent::<Anything>::from_request(request, &())
        .await
        .unwrap()
        .key
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_one_order() {
    let shop = Shop::open().await;
    let user = UserId::generate();
    let claimed = mine(&shop, user).await;
    let (stored, event, reply) = ready(user, OrderId::from(claimed.subject));
    shop.store()
        .insert(&stored, &event, &claimed, &reply)
        .await
        .unwrap();
    let again = shop.store().insert(&stored, &event, &claimed, &reply).await;
    assert!(matches!(again, Err(CommitError::Refused(refused)) if refused.names("claim")));
    match claim(&shop, user).await.unwrap() {
        Claimed::Replay(kept) => assert_eq!(kept.body, reply.body),
        Claimed::Mine(claim) => panic!("{claim:?}"),
    }
    // Letting go after the write, as after an error that hid it, changes nothing.
    shop.store()
        .abandon(claimed, shop.clock.now())
        .await
        .unwrap();
    assert!(matches!(
        claim(&shop, user).await.unwrap(),
        Claimed::Replay(_)
    ));
    assert_eq!(orders(&shop).await.len(), 1);
    assert_eq!(shop.table.event_types().await, ["order.placed"]);
}

#[tokio::test]
async fn a_request_that_was_taken_over_writes_nothing() {
    let shop = Shop::open().await;
    let user = UserId::generate();
    let slow = mine(&shop, user).await;
    shop.clock.advance(SignedDuration::from_secs(15));
    let quick = mine(&shop, user).await;
    assert_eq!(quick.subject, slow.subject);

    let id = OrderId::from(slow.subject);
    let (stored, event, reply) = ready(user, id);
    let late = shop.store().insert(&stored, &event, &slow, &reply).await;
    assert!(matches!(late, Err(CommitError::Refused(refused)) if refused.names("claim")));
    assert!(orders(&shop).await.is_empty());
    // Nor may it free the key that is not its own any more.
    shop.store().release(slow).await.unwrap();
    assert!(matches!(claim(&shop, user).await, Err(ClaimError::Running)));

    shop.store()
        .insert(&stored, &event, &quick, &reply)
        .await
        .unwrap();
    assert_eq!(shop.find(id).await, stored);
}
