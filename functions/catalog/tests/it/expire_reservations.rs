use catalog::domain::{HOLD_PERIOD, Status};
use dynamo::{Expression, Key};
use futures_util::{
    StreamExt,
    future::{join, join_all},
    stream,
};
use kernel::SignedDuration;
use runtime::{Context, LambdaEvent};
use serde_json::{json, value::to_raw_value};

use crate::fixture::TestCatalog;

#[tokio::test]
async fn goods_are_restocked_at_the_end_of_the_hold_period_and_not_before() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(10).await;
    let first = catalog.hold(&[(lamp, 3)]).await;
    catalog.advance(SignedDuration::from_mins(5));
    let second = catalog.hold(&[(lamp, 4)]).await;
    catalog.advance(HOLD_PERIOD - SignedDuration::from_mins(5) - SignedDuration::from_millis(1));
    assert_eq!(catalog.expire().await, 0);
    catalog.advance(SignedDuration::from_millis(1));
    assert_eq!(catalog.expire().await, 1);
    assert_eq!(catalog.stock(lamp).await, 6);
    assert_eq!(catalog.reservation(first).await.status, Status::Expired);
    assert_eq!(catalog.reservation(second).await.status, Status::Held);
    let events = catalog.events_of(first).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event_type, "reservation.expired");
    assert_eq!(events[0].correlationid, "test-correlation");
    assert_eq!(events[0].actor, "function:expire-reservations");
    assert_eq!(catalog.expire().await, 0);
    assert_eq!(catalog.stock(lamp).await, 6);
}

#[tokio::test]
async fn concurrent_runs_restock_each_reservation_once() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(30).await;
    for _ in 0..30 {
        catalog.hold(&[(lamp, 1)]).await;
    }
    assert_eq!(catalog.stock(lamp).await, 0);
    catalog.advance(HOLD_PERIOD);
    let runs = join_all((0..4).map(|_| catalog.expire())).await;
    assert_eq!(runs.iter().sum::<u64>(), 30);
    assert_eq!(catalog.stock(lamp).await, 30);
}

#[tokio::test]
async fn a_run_and_an_event_of_the_order_restock_once() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(10).await;
    for run_first in [true, false] {
        for authorized in [true, false] {
            let order_id = catalog.hold(&[(lamp, 4)]).await;
            catalog.advance(HOLD_PERIOD);
            let event = if authorized {
                catalog.authorized(order_id)
            } else {
                catalog.cancelled(order_id)
            };
            if run_first {
                assert_eq!(catalog.expire().await, 1);
                catalog.settle(&[event]).await;
            } else {
                catalog.settle(&[event]).await;
                assert_eq!(catalog.expire().await, 0);
            }
            assert_eq!(catalog.stock(lamp).await, 10, "{run_first} {authorized}");
        }
    }
    for _ in 0..20 {
        let order_id = catalog.hold(&[(lamp, 4)]).await;
        catalog.advance(HOLD_PERIOD);
        let event = [catalog.authorized(order_id)];
        join(
            join(catalog.expire(), catalog.settle(&event)),
            catalog.expire(),
        )
        .await;
        assert_eq!(catalog.stock(lamp).await, 10);
        let events = catalog.event_types_of(order_id).await;
        assert_eq!(events, ["reservation.expired", "stock.commit_rejected"]);
    }
}

#[tokio::test]
async fn a_reservation_whose_product_is_missing_does_not_block_the_others() {
    let catalog = TestCatalog::new().await;
    let (lamp, missing) = (catalog.product(5).await, catalog.product(5).await);
    let stuck = catalog.hold(&[(missing, 1)]).await;
    let other = catalog.hold(&[(lamp, 1)]).await;
    let key = Key::new(format!("PRODUCT#{missing}"), "PRODUCT");
    let exists = Expression::when("attribute_exists(pk)");
    catalog.table.table().delete(key, exists).await.unwrap();
    catalog.advance(HOLD_PERIOD);
    let job = catalog.function("expire-reservations").await;
    let event = to_raw_value(&json!({ "source": "aws.scheduler" })).unwrap();
    let error = job(LambdaEvent::new(event, Context::default())).await.err();
    let error = error.expect("the run fails").to_string();
    assert!(error.contains(&stuck.to_string()), "{error}");
    assert_eq!(catalog.reservation(other).await.status, Status::Expired);
    assert_eq!(catalog.reservation(stuck).await.status, Status::Held);
    assert_eq!(catalog.stock(lamp).await, 5);
    let product = catalog.store.product(missing).await.unwrap();
    assert_eq!(product, None, "restocking created half a product");
}

/// What a run took a round of a minute for each four hundred of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_run_ends_thousands_of_reservations() {
    const ORDERS: usize = 2_500;
    let catalog = TestCatalog::new().await;
    let lamps = [catalog.product(5_000).await, catalog.product(5_000).await];
    let orders = stream::iter(0..ORDERS)
        .map(|n| {
            let lamp = lamps[usize::from(n % 5 == 0)];
            let catalog = &catalog;
            async move { catalog.hold(&[(lamp, 1)]).await }
        })
        .buffer_unordered(8);
    assert_eq!(orders.count().await, ORDERS);
    catalog.advance(HOLD_PERIOD);
    assert_eq!(catalog.expire().await, ORDERS as u64);
    for lamp in lamps {
        assert_eq!(
            (catalog.stock(lamp).await, catalog.held(lamp).await),
            (5_000, 0)
        );
    }
    let events = catalog.table.event_types().await;
    let expired = events.iter().filter(|name| *name == "reservation.expired");
    assert_eq!(expired.count(), ORDERS);
}
