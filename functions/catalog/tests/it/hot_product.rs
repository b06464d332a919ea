//! A product that sells faster than one item can be written.

use catalog::domain::Product;
use contracts::calls::{ReserveStock, Shortage, StockReservation};
use dynamo::Outcome;
use futures_util::future::join_all;
use kernel::{OrderId, ProductId, SignedDuration};
use serde_json::json;
use testkit::{Conflicts, new_id};

use crate::fixture::{TestCatalog, quantities};

fn is_held(reply: &StockReservation) -> bool {
    matches!(reply, StockReservation::Held { .. })
}

async fn with_conflicts() -> (TestCatalog, Conflicts) {
    let conflicts = Conflicts::default();
    let table = TestCatalog::empty_table().await.conflicting(&conflicts);
    (TestCatalog::on(table.await).await, conflicts)
}

/// Opens as many shards as the goods of a product are enough for.
pub(crate) async fn open(catalog: &TestCatalog, id: ProductId) -> Product {
    let product = catalog.peek(id).await;
    let now = catalog.table.clock().now();
    let opening = product.opening(now).unwrap();
    let opened = catalog.store.open_shards(&product, &opening, now).await;
    assert_eq!(opened.unwrap(), Outcome::Committed);
    catalog.peek(id).await
}

/// Each number of a product, and so of its shards: available and held.
pub(crate) async fn numbers(catalog: &TestCatalog, id: ProductId) -> (u32, u32) {
    (catalog.stock(id).await, catalog.held(id).await)
}

#[tokio::test]
async fn conflicts_on_a_product_open_shards_and_the_goods_are_sold_from_them() {
    let (catalog, conflicts) = with_conflicts().await;
    let lamp = catalog.product(2_000).await;
    conflicts.refuse("PRODUCT#", 2);
    let order = catalog.hold(&[(lamp, 2)]).await;
    assert_eq!(conflicts.refused(), 2);
    let product = catalog.peek(lamp).await;
    assert_eq!((product.shards, product.stock), (64, 4));
    assert_eq!(numbers(&catalog, lamp).await, (1_998, 2));
    let taken = catalog.reservation(order).await.shards;
    assert_eq!(taken.len(), 1);
    // From now on nobody needs the product's item.
    conflicts.refuse("PRODUCT#", usize::MAX);
    for _ in 0..20 {
        catalog.hold(&[(lamp, 1)]).await;
    }
    assert_eq!(conflicts.refused(), 2);
    assert_eq!(numbers(&catalog, lamp).await, (1_978, 22));
}

#[tokio::test]
async fn one_conflict_opens_nothing() {
    let (catalog, conflicts) = with_conflicts().await;
    let lamp = catalog.product(2_000).await;
    conflicts.refuse("PRODUCT#", 1);
    catalog.hold(&[(lamp, 1)]).await;
    assert_eq!(catalog.peek(lamp).await.shards, 0);
}

#[tokio::test]
async fn a_conflict_on_a_shard_leads_to_another() {
    let (catalog, conflicts) = with_conflicts().await;
    let lamp = catalog.product(2_000).await;
    open(&catalog, lamp).await;
    conflicts.refuse("STOCK#", 4);
    catalog.hold(&[(lamp, 1)]).await;
    assert_eq!(conflicts.refused(), 4);
    // Those of one shard are met by those who draw it, and by nobody for ever.
    conflicts.refuse(&format!("STOCK#{lamp}#7"), usize::MAX);
    for _ in 0..50 {
        catalog.hold(&[(lamp, 1)]).await;
    }
    assert_eq!(numbers(&catalog, lamp).await, (1_949, 51));
}

#[tokio::test]
async fn a_call_that_only_meets_conflicts_is_told_so_and_reserves_nothing() {
    let (catalog, conflicts) = with_conflicts().await;
    // Too few to open shards for.
    let lamp = catalog.product(10).await;
    conflicts.refuse("PRODUCT#", usize::MAX);
    let order_id: OrderId = new_id();
    let reply = catalog.reserve(order_id, &[(lamp, 1)]).await;
    assert_eq!(reply, StockReservation::Contended);
    assert_eq!(catalog.store.reservation(order_id).await.unwrap(), None);
    // An older caller would not understand.
    let call = json!({
        "orderId": order_id, "lines": quantities(&[(lamp, 1)]), "correlationId": "chain",
    });
    let call: ReserveStock = serde_json::from_value(call).unwrap();
    assert!(catalog.call_reserve(&call).await.is_err());
    conflicts.refuse("PRODUCT#", 0);
    assert!(is_held(&catalog.reserve(order_id, &[(lamp, 1)]).await));
    assert_eq!(numbers(&catalog, lamp).await, (9, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_sold_exactly_once() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(150).await;
    open(&catalog, lamp).await;
    let orders = (0..180).map(|_| catalog.reserve_at_last(lamp));
    let replies = join_all(orders).await;
    let held = replies.iter().filter(|reply| is_held(reply)).count();
    let refused = StockReservation::Refused {
        shortages: vec![Shortage {
            product_id: lamp,
            available: Some(0),
        }],
    };
    let refused = replies.iter().filter(|reply| **reply == refused).count();
    assert_eq!((held, refused), (150, 30));
    assert_eq!(numbers(&catalog, lamp).await, (0, 150));
}

#[tokio::test]
async fn who_comes_too_late_costs_one_read_of_the_product() {
    let mut table = TestCatalog::empty_table().await;
    let calls = table.record_calls().await;
    let catalog = TestCatalog::on(table).await;
    let lamp = catalog.product(100).await;
    open(&catalog, lamp).await;
    catalog.hold(&[(lamp, 100)]).await;
    let refuse = async || {
        calls.take();
        let reply = catalog.reserve(new_id(), &[(lamp, 1)]).await;
        assert!(
            matches!(reply, StockReservation::Refused { .. }),
            "{reply:?}"
        );
        calls.take()
    };
    refuse().await;
    // The product, and whether the order has a reservation.
    assert_eq!(refuse().await, ["BatchGetItem", "GetItem"]);
    // A second later it is looked at again, and what has come back is sold.
    catalog.advance(SignedDuration::from_secs(1));
    assert_eq!(refuse().await.len(), 4);
    catalog.adjust(lamp, "increase", 1).await;
    catalog.hold(&[(lamp, 1)]).await;
}

#[tokio::test]
async fn a_line_of_more_than_any_shard_has_is_gathered_from_several() {
    let catalog = TestCatalog::new().await;
    let (lamp, bulb) = (catalog.product(100).await, catalog.product(100).await);
    open(&catalog, lamp).await;
    open(&catalog, bulb).await;
    let order = catalog.hold(&[(lamp, 70), (bulb, 100)]).await;
    assert_eq!(numbers(&catalog, lamp).await, (30, 70));
    assert_eq!(numbers(&catalog, bulb).await, (0, 100));
    let reply = catalog.reserve(new_id(), &[(lamp, 31)]).await;
    let shortages = vec![Shortage {
        product_id: lamp,
        available: Some(30),
    }];
    assert_eq!(reply, StockReservation::Refused { shortages });
    catalog.hold(&[(lamp, 30)]).await;
    catalog.settle(&[catalog.cancelled(order)]).await;
    assert_eq!(numbers(&catalog, lamp).await, (70, 30));
}

#[tokio::test]
async fn goods_that_are_put_in_while_shards_are_open_get_shards_of_their_own() {
    let (catalog, conflicts) = with_conflicts().await;
    let lamp = catalog.product(100).await;
    open(&catalog, lamp).await;
    catalog.hold(&[(lamp, 100)]).await;
    catalog.adjust(lamp, "increase", 2_000).await;
    catalog.advance(SignedDuration::from_secs(1));
    conflicts.refuse("PRODUCT#", 2);
    catalog.hold(&[(lamp, 1)]).await;
    let product = catalog.peek(lamp).await;
    assert_eq!((product.shards, product.stock), (70, 4));
    assert_eq!(numbers(&catalog, lamp).await, (1_999, 101));
}

#[tokio::test]
async fn unverified_buyers_hold_no_more_than_their_share_of_all_shards() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(400).await;
    for _ in 0..10 {
        catalog.reserve_unverified(new_id(), &[(lamp, 1)]).await;
    }
    open(&catalog, lamp).await;
    let mut held = 10;
    loop {
        let reply = catalog.reserve_unverified(new_id(), &[(lamp, 1)]).await;
        match reply {
            StockReservation::Held { .. } => held += 1,
            StockReservation::Limited { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    // A quarter, less what is rounded down in each of 23 shards.
    assert!((75..=100).contains(&held), "{held}");
    assert_eq!(catalog.held_unverified(lamp).await, held);
    // Others get the rest, in one order or in many.
    catalog.hold(&[(lamp, 400 - held)]).await;
    assert_eq!(numbers(&catalog, lamp).await, (0, 400));
}
