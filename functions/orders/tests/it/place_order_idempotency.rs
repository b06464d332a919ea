//! `POST /api/orders`: one order per key, despite crashes and races.

use contracts::{Envelope, events::OrderLine};
use dynamo::{
    CommitError,
    idempotency::{Claim, ClaimError, Claimed},
};
use futures_util::future::join_all;
use http::Method;
use kernel::{
    Actor, Cause, Currency, IdempotencyKey, Money, OrderId, ProductId, Role, SignedDuration,
    UserId,
    input::{FromInput, Value},
};
use orders::{
    domain::{Order, PlaceOrder, Reservation},
    store::StoredOrder,
};
use runtime::http::StoredReply;
use serde_json::value::to_raw_value;
use testkit::{Client, new_id, status::*};

use crate::{
    fixture::{PATH, TestOrders, order_body, order_id},
    stub_catalog::Fault,
};

/// How long a claim without a reply excludes other requests.
const CLAIM_LIFETIME: SignedDuration = SignedDuration::from_secs(15);

/// A customer whose requests another instance of the function handles.
async fn other_customer(orders: &TestOrders, user: UserId, key: &str) -> Client {
    Client::new(orders.new_instance("place-order").await)
        .as_user(user, Role::User)
        .with_header("idempotency-key", key)
}

#[tokio::test]
async fn the_same_key_and_body_get_the_same_reply_for_a_day() {
    let orders = TestOrders::new().await;
    let product = orders.catalog.add_product(100, 9);
    let user: UserId = new_id();
    let client = orders.customer(user, "key");
    let body = order_body(&[(product, 2)]);
    let first = client.post(PATH, &body, CREATED).await;
    let again = client.post(PATH, &body, CREATED).await;
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(orders.catalog.calls().len(), 1);

    let other_body = order_body(&[(product, 3)]);
    let reply = client.post(PATH, &other_body, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.body["code"], "idempotency_key_reused");

    let other_key = orders.customer(user, "other");
    let other_user = orders.customer(new_id(), "key");
    let mut ids = vec![order_id(&first)];
    ids.push(order_id(&other_key.post(PATH, &body, CREATED).await));
    ids.push(order_id(&other_user.post(PATH, &body, CREATED).await));
    orders.table.clock().advance(SignedDuration::from_hours(24));
    orders.catalog.set_stock(product, 2);
    ids.push(order_id(&client.post(PATH, &body, CREATED).await));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    assert_eq!(orders.snapshots().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_concurrent_requests_with_one_key_place_one_order() {
    for round in 0..5 {
        let orders = TestOrders::new().await;
        let product = orders.catalog.add_product(100, 64);
        let user: UserId = new_id();
        let clients = (0..16).map(|_| other_customer(&orders, user, "key"));
        let clients = join_all(clients).await;
        let requests = clients.iter().map(|client| {
            let body = order_body(&[(product, 2)]).to_string();
            tokio::spawn(client.exchange(Method::POST, PATH, Some(body)))
        });
        let (mut created, mut replayed) = (0, 0);
        for reply in join_all(requests).await.into_iter().map(Result::unwrap) {
            match (reply.status.as_u16(), reply.header("idempotency-replayed")) {
                (201, None) => created += 1,
                (201, Some(_)) => replayed += 1,
                (409, None) => assert_eq!(reply.body["code"], "idempotency_in_progress"),
                other => panic!("{other:?}: {}", reply.body),
            }
        }
        assert_eq!(created, 1, "round {round}, {replayed} replayed");
        assert_eq!(orders.snapshots().await.len(), 1);
        assert_eq!(orders.table.event_types().await, ["order.placed"]);
        assert_eq!(orders.catalog.stock(product), 62);
    }
}

#[tokio::test]
async fn a_retry_after_a_crash_places_the_order_of_the_reservation() {
    let orders = TestOrders::new().await;
    let product = orders.catalog.add_product(100, 5);
    let user: UserId = new_id();
    let body = order_body(&[(product, 2)]);
    let client = orders.customer(user, "key");
    orders.catalog.fail(Fault::SilentAfterRun, 1);
    let post = tokio::spawn(client.exchange(Method::POST, PATH, Some(body.to_string())));
    orders.catalog.silent.notified().await;
    post.abort();
    assert!(post.await.unwrap_err().is_cancelled());
    let reserved = orders.catalog.reservations();
    assert_eq!(reserved.len(), 1);

    // For as long as the first request may still be running.
    let client = other_customer(&orders, user, "key").await;
    let millisecond = SignedDuration::from_millis(1);
    orders.table.clock().advance(CLAIM_LIFETIME - millisecond);
    let reply = client.post(PATH, &body, CONFLICT).await;
    assert_eq!(reply.body["code"], "idempotency_in_progress");
    assert!(reply.header("retry-after").is_some());

    orders.table.clock().advance(millisecond);
    let reply = client.post(PATH, &body, CREATED).await;
    assert_eq!([order_id(&reply)], *reserved, "the same order");
    assert_eq!(orders.catalog.stock(product), 3, "reserved once");
    assert_eq!(orders.snapshots().await.len(), 1);
}

#[tokio::test]
async fn a_request_whose_claim_was_taken_over_gets_the_reply_of_the_other() {
    let orders = TestOrders::new().await;
    let product = orders.catalog.add_product(100, 5);
    let user: UserId = new_id();
    let body = order_body(&[(product, 2)]);
    let slow = orders.customer(user, "key");
    orders.catalog.fail(Fault::SilentAfterRun, 1);
    let slow = tokio::spawn(slow.exchange(Method::POST, PATH, Some(body.to_string())));
    orders.catalog.silent.notified().await;

    orders.table.clock().advance(CLAIM_LIFETIME);
    let fast = other_customer(&orders, user, "key").await;
    let fast = fast.post(PATH, &body, CREATED).await;
    assert_eq!(fast.header("idempotency-replayed"), None);

    orders.catalog.resume();
    let slow = slow.await.unwrap();
    assert_eq!(slow.status, CREATED, "{}", slow.body);
    assert_eq!(slow.header("idempotency-replayed"), Some("true"));
    assert_eq!(slow.body, fast.body);
    assert_eq!(orders.snapshots().await.len(), 1);
    assert_eq!(orders.table.event_types().await, ["order.placed"]);
    assert_eq!(orders.catalog.stock(product), 3, "reserved once");
}

#[tokio::test]
async fn an_expired_reservation_is_reported_and_frees_the_key() {
    let orders = TestOrders::new().await;
    let product = orders.catalog.add_product(100, 5);
    let body = order_body(&[(product, 2)]);
    let client = orders.customer(new_id(), "key");
    orders.catalog.fail(Fault::ClosedAfterRun, 3);
    client.post(PATH, &body, SERVICE_UNAVAILABLE).await;
    orders.catalog.expire_reservations();

    let reply = client.post(PATH, &body, CONFLICT).await;
    assert_eq!(reply.body["code"], "reservation_expired");
    assert!(orders.has_no_orders_or_keys().await);
    let reply = client.post(PATH, &body, CREATED).await;
    assert_ne!(orders.catalog.calls()[0], order_id(&reply));
    assert_eq!(orders.catalog.stock(product), 3);
}

#[tokio::test]
async fn a_retry_shortly_before_its_reservation_ends_places_nothing_and_frees_the_key() {
    // Goods are held for fifteen minutes; a minute of it has to be left.
    for (seconds, status) in [(14 * 60 - 1, CREATED), (14 * 60, CONFLICT), (899, CONFLICT)] {
        let orders = TestOrders::new().await;
        let product = orders.catalog.add_product(100, 5);
        let body = order_body(&[(product, 2)]);
        let client = orders.customer(new_id(), "key");
        orders.catalog.fail(Fault::ClosedAfterRun, 3);
        client.post(PATH, &body, SERVICE_UNAVAILABLE).await;
        let clock = orders.table.clock();
        clock.advance(SignedDuration::from_secs(seconds));

        let reply = client.post(PATH, &body, status).await;
        if status == CREATED {
            continue;
        }
        assert_eq!(reply.body["code"], "reservation_expired");
        assert!(orders.has_no_orders_or_keys().await);
        let reply = client.post(PATH, &body, CREATED).await;
        assert_ne!(orders.catalog.calls()[0], order_id(&reply));
        assert_eq!(orders.snapshots().await.len(), 1);
    }
}

/// An order as `place-order` writes it, for tests of the store.
fn new_order(
    orders: &TestOrders,
    user_id: UserId,
    order_id: OrderId,
) -> (StoredOrder, Envelope, StoredReply) {
    let product_id: ProductId = new_id();
    let body = to_raw_value(&order_body(&[(product_id, 1)])).unwrap();
    let request = PlaceOrder::from_input(Value::Json(&body)).unwrap();
    let host = orders.table.host();
    let reservation = Reservation {
        order_id,
        lines: vec![OrderLine {
            product_id,
            name: "Lamp".into(),
            quantity: 1,
            unit_price: Money::new(100, Currency::USD).unwrap(),
        }],
        held_until: host.now(),
    };
    let cause = Cause::new("test-correlation", "test-request", Actor::User(user_id));
    let stamp = host.stamp(host.now(), &cause);
    let placed = Order::place(user_id, new_id(), &request, reservation, stamp);
    let (order, placed) = placed.unwrap();
    let reply = StoredReply {
        status: 201,
        location: Some(format!("/api/orders/{order_id}")),
        body: format!(r#"{{"data":{{"id":"{order_id}"}}}}"#),
        replayed: false,
    };
    let stored = StoredOrder::new(order, request.shipping_address);
    (stored, placed, reply)
}

async fn try_claim(orders: &TestOrders, user: UserId) -> Result<Claimed<StoredReply>, ClaimError> {
    let key = IdempotencyKey::parse("key").unwrap();
    let (store, now) = (orders.store(), orders.table.clock().now());
    store.claim(user, &key, "fingerprint", new_id(), now).await
}

async fn claim(orders: &TestOrders, user: UserId) -> Claim {
    match try_claim(orders, user).await.unwrap() {
        Claimed::Granted(claim) => claim,
        Claimed::Completed(reply) => panic!("{reply:?}"),
    }
}

#[tokio::test]
async fn an_order_whose_reply_from_the_store_is_lost_is_written_once() {
    let orders = TestOrders::new().await;
    let (user, store): (UserId, _) = (new_id(), orders.store());
    let granted = claim(&orders, user).await;
    let (stored, placed, reply) = new_order(&orders, user, granted.subject.into());
    let first = store.insert(&stored, &placed, &granted, &reply).await;
    first.unwrap();
    let again = store.insert(&stored, &placed, &granted, &reply).await;
    assert!(matches!(again, Err(CommitError::ConditionFailed(failed)) if failed.includes("claim")));
    match try_claim(&orders, user).await.unwrap() {
        Claimed::Completed(found) => assert_eq!(found.body, reply.body),
        Claimed::Granted(claim) => panic!("{claim:?}"),
    }
    // Abandoning the claim after the write, as after an error that hid its
    // success, changes nothing.
    let now = orders.table.clock().now();
    store.abandon(granted, now).await.unwrap();
    assert!(matches!(
        try_claim(&orders, user).await.unwrap(),
        Claimed::Completed(_)
    ));
    assert_eq!(orders.snapshots().await.len(), 1);
    assert_eq!(orders.table.event_types().await, ["order.placed"]);
}

#[tokio::test]
async fn a_claim_that_was_taken_over_neither_writes_nor_frees_the_key() {
    let orders = TestOrders::new().await;
    let (user, store): (UserId, _) = (new_id(), orders.store());
    let slow = claim(&orders, user).await;
    orders.table.clock().advance(CLAIM_LIFETIME);
    let fast = claim(&orders, user).await;
    assert_eq!(fast.subject, slow.subject);

    let id = OrderId::from(slow.subject);
    let (stored, placed, reply) = new_order(&orders, user, id);
    let late = store.insert(&stored, &placed, &slow, &reply).await;
    assert!(matches!(late, Err(CommitError::ConditionFailed(failed)) if failed.includes("claim")));
    assert!(orders.snapshots().await.is_empty());
    store.release(slow).await.unwrap();
    let refused = try_claim(&orders, user).await;
    assert!(matches!(refused, Err(ClaimError::InProgress)));

    let written = store.insert(&stored, &placed, &fast, &reply).await;
    written.unwrap();
    assert_eq!(orders.find(id).await, stored);
}
