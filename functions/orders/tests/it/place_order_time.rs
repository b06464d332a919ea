//! `POST /api/orders` replies before the function's time is up, whatever hangs.

use std::time::Duration;

use kernel::SignedDuration;
use runtime::Stopwatch;
use testkit::{
    new_id,
    status::{CREATED, SERVICE_UNAVAILABLE},
};

use crate::{
    fixture::{PATH, TestOrders, order_body, order_id},
    slow_store::SlowStore,
    stub_catalog::Fault,
};

/// The function's ten seconds, less one for the reply.
const TIME_MAX: Duration = Duration::from_secs(9);
/// The lifetime of a claim that could not be given up.
const CLAIM_LIFETIME: SignedDuration = SignedDuration::from_secs(15);

#[tokio::test]
async fn while_the_store_and_catalog_hang_the_reply_is_503_in_time_and_a_retry_places_one_order() {
    let store = SlowStore::default();
    let orders = TestOrders::behind(&store).await;
    let product = orders.catalog.add_product(1_000, 5);
    let body = order_body(&[(product, 2)]);
    let client = orders.customer(new_id(), "key");
    orders.function("place-order").await;
    store.set_slow(true);
    orders.catalog.fail(Fault::SilentAfterRun, 1);
    let stopwatch = Stopwatch::start();
    let reply = client.post(PATH, &body, SERVICE_UNAVAILABLE).await;
    let elapsed = stopwatch.elapsed();
    assert!(elapsed < TIME_MAX, "{elapsed:?}");
    assert_eq!(reply.body["code"], "service_unavailable");
    assert!(reply.header("retry-after").is_some());

    store.set_slow(false);
    orders.table.clock().advance(CLAIM_LIFETIME);
    let reply = client.post(PATH, &body, CREATED).await;
    assert_eq!(orders.catalog.reservations(), [order_id(&reply)]);
    assert_eq!(orders.catalog.stock(product), 3, "reserved once");
    assert_eq!(orders.snapshots().await.len(), 1);
}
