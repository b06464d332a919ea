//! `POST /api/orders`: one key, one order, whatever dies or races.

use contracts::{
    Envelope,
    events::{OrderLine, Quantity},
};
use dynamo::{
    CommitError,
    idempotency::{Claim, ClaimError, Claimed},
};
use futures_util::future::join_all;
use http::Method;
use kernel::{
    Actor, Cause, Currency, Money, OrderId, PaymentId, ProductId, SignedDuration, UserId,
    input::{FromInput, FieldErrors, Value},
};
use orders::{
    domain::{Order, Placing, place},
    store::StoredOrder,
};
use runtime::http::{IdempotencyKey, Idempotent, StoredReply};
use testkit::status::*;

use crate::{
    catalog::Fault,
    shop::{Shop, address, body, buyer, id_of},
};

const PATH: &str = "/api/orders";

#[tokio::test]
async fn the_same_key_and_body_get_the_same_reply() {
    let shop = Shop::open().await;
    let product = shop.catalog.stock(100, 9);
    let user = testkit::new_id::<UserId>();
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
        &buyer(&client, testkit::new_id::<UserId>(), "k")
            .post(PATH, &wanted, CREATED)
            .await,
    ));
    shop.clock.advance(SignedDuration::from_hours(24));
    shop.catalog.restock(product, 2);
    ids.push(id_of(&client.post(PATH, &wanted, CREATED).await));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    assert_eq!(shop.orders().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_posts_with_one_key_are_one_order() {
    for round in 0..5 {
        let shop = Shop::open().await;
        let product = shop.catalog.stock(100, 64);
        let user = testkit::new_id::<UserId>();
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
        assert_eq!(shop.orders().await.len(), 1);
        assert_eq!(shop.table.event_types().await, ["order.placed"]);
        assert_eq!(shop.catalog.left(product), 62);
    }
}

#[tokio::test]
async fn a_death_between_hold_and_write_makes_the_same_order_later() {
    let shop = Shop::open().await;
    let product = shop.catalog.stock(100, 5);
    let user = testkit::new_id::<UserId>();
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
    assert_eq!(shop.orders().await.len(), 1);
}

#[tokio::test]
async fn a_hold_that_ran_out_is_said_and_the_key_orders_anew() {
    let shop = Shop::open().await;
    let product = shop.catalog.stock(100, 5);
    let wanted = body(&[(product, 2)]);
    let client = buyer(&shop.place_order().await, testkit::new_id::<UserId>(), "k");
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
        payment_id: testkit::new_id::<PaymentId>(),
        payment_method: "pm_card_visa".into(),
        asked: vec![Quantity {
            product_id: ProductId::from(*order_id.as_uuid()),
            quantity: 1,
        }],
        held: vec![OrderLine {
            product_id: ProductId::from(*order_id.as_uuid()),
            name: "a thing".into(),
            quantity: 1,
            unit_price: Money::new(100, Currency::USD).unwrap(),
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
        .claim(user, &key, "print", testkit::new_id::<OrderId>(), shop.clock.now())
        .await
}

async fn mine(shop: &Shop, user: UserId) -> Claim {
    match claim(shop, user).await.unwrap() {
        Claimed::Granted(claim) => claim,
        Claimed::Completed(reply) => panic!("{reply:?}"),
    }
}

/// A key, as the extractor reads it.
async fn key(text: &str) -> IdempotencyKey {
    use axum::extract::FromRequest;
    struct Anything;
    impl FromInput for Anything {
        fn from_input(_: Value<'_>) -> Result<Self, FieldErrors> {
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
    let user = testkit::new_id::<UserId>();
    let claimed = mine(&shop, user).await;
    let (stored, event, reply) = ready(user, OrderId::from(claimed.subject));
    shop.store()
        .insert(&stored, &event, &claimed, &reply)
        .await
        .unwrap();
    let again = shop.store().insert(&stored, &event, &claimed, &reply).await;
    assert!(matches!(again, Err(CommitError::ConditionFailed(refused)) if refused.names("claim")));
    match claim(&shop, user).await.unwrap() {
        Claimed::Completed(kept) => assert_eq!(kept.body, reply.body),
        Claimed::Granted(claim) => panic!("{claim:?}"),
    }
    // Letting go after the write, as after an error that hid it, changes nothing.
    shop.store()
        .abandon(claimed, shop.clock.now())
        .await
        .unwrap();
    assert!(matches!(
        claim(&shop, user).await.unwrap(),
        Claimed::Completed(_)
    ));
    assert_eq!(shop.orders().await.len(), 1);
    assert_eq!(shop.table.event_types().await, ["order.placed"]);
}

#[tokio::test]
async fn a_request_that_was_taken_over_writes_nothing() {
    let shop = Shop::open().await;
    let user = testkit::new_id::<UserId>();
    let slow = mine(&shop, user).await;
    shop.clock.advance(SignedDuration::from_secs(15));
    let quick = mine(&shop, user).await;
    assert_eq!(quick.subject, slow.subject);

    let id = OrderId::from(slow.subject);
    let (stored, event, reply) = ready(user, id);
    let late = shop.store().insert(&stored, &event, &slow, &reply).await;
    assert!(matches!(late, Err(CommitError::ConditionFailed(refused)) if refused.names("claim")));
    assert!(shop.orders().await.is_empty());
    // Nor may it free the key that is not its own any more.
    shop.store().release(slow).await.unwrap();
    assert!(matches!(claim(&shop, user).await, Err(ClaimError::InProgress)));

    shop.store()
        .insert(&stored, &event, &quick, &reply)
        .await
        .unwrap();
    assert_eq!(shop.find(id).await, stored);
}
