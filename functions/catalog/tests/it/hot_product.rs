//! A product that sells faster than one item can be written.

use catalog::domain::{HOLD_PERIOD, Product, Status};
use contracts::calls::{ReserveStock, Shortage, StockReservation};
use dynamo::Outcome;
use futures_util::future::join_all;
use kernel::{Currency, Money, OrderId, ProductId, SignedDuration};
use serde_json::json;
use testkit::{Conflicts, new_id, status::*};

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
async fn open(catalog: &TestCatalog, id: ProductId) -> Product {
    let product = catalog.peek(id).await;
    let now = catalog.table.clock().now();
    let opening = product.opening(now).unwrap();
    let opened = catalog.store.open_shards(&product, &opening, now).await;
    assert_eq!(opened.unwrap(), Outcome::Committed);
    catalog.peek(id).await
}

/// Each number of a product, and so of its shards: available and held.
async fn numbers(catalog: &TestCatalog, id: ProductId) -> (u32, u32) {
    (catalog.stock(id).await, catalog.held(id).await)
}

async fn fold_one(catalog: &TestCatalog, id: ProductId) {
    let (product, shards) = (catalog.peek(id).await, catalog.shards(id).await);
    let now = catalog.table.clock().now();
    let folded = catalog.store.fold_shard(&product, &shards[0], now).await;
    assert_eq!(folded.unwrap(), Outcome::Committed);
}

/// Runs the job, as every minute.
async fn minute(catalog: &TestCatalog) {
    catalog.advance(SignedDuration::from_mins(1));
    catalog.expire().await;
}

#[tokio::test]
async fn conflicts_on_a_product_open_shards_and_the_goods_are_sold_from_them() {
    let (catalog, conflicts) = with_conflicts().await;
    let lamp = catalog.product(2_000).await;
    conflicts.refuse("PRODUCT#", 2);
    let order = catalog.hold(&[(lamp, 2)]).await;
    assert_eq!(conflicts.refused(), 2);
    let product = catalog.peek(lamp).await;
    assert_eq!((product.shards, product.stock), (64, 16));
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
async fn goods_return_to_their_shard_or_to_the_product_once_it_is_folded() {
    for is_folded in [false, true] {
        let catalog = TestCatalog::new().await;
        let lamp = catalog.product(200).await;
        open(&catalog, lamp).await;
        let mut orders = Vec::new();
        for _ in 0..3 {
            orders.push(catalog.hold(&[(lamp, 5)]).await);
        }
        assert_eq!(numbers(&catalog, lamp).await, (185, 15));
        let before = catalog.peek(lamp).await.stock;
        if is_folded {
            for _ in 0..catalog.peek(lamp).await.shards {
                fold_one(&catalog, lamp).await;
            }
            assert_eq!(catalog.peek(lamp).await.stock, 185);
        }
        // Each twice.
        let [sold, released, expired] = orders[..] else {
            unreachable!()
        };
        let (sold, cancelled) = (catalog.authorized(sold), catalog.cancelled(released));
        catalog.settle(&[sold.clone(), cancelled.clone()]).await;
        assert_eq!(numbers(&catalog, lamp).await, (190, 5));
        catalog.settle(&[sold, cancelled]).await;
        let stock = catalog.peek(lamp).await.stock;
        assert_eq!(stock, if is_folded { 190 } else { before });
        catalog.advance(HOLD_PERIOD);
        assert_eq!(catalog.expire().await, 1);
        assert_eq!(catalog.expire().await, 0);
        assert_eq!(numbers(&catalog, lamp).await, (195, 0));
        assert_eq!(catalog.reservation(expired).await.status, Status::Expired);
    }
}

/// The shard with the number of one that was folded would be another one.
#[tokio::test]
async fn goods_do_not_return_to_a_shard_that_was_opened_later() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(200).await;
    open(&catalog, lamp).await;
    let order = catalog.hold(&[(lamp, 5)]).await;
    for _ in 0..catalog.peek(lamp).await.shards {
        fold_one(&catalog, lamp).await;
    }
    open(&catalog, lamp).await;
    assert_eq!(numbers(&catalog, lamp).await, (195, 5));
    catalog.settle(&[catalog.cancelled(order)]).await;
    assert_eq!(catalog.peek(lamp).await.held, 0);
    assert_eq!(numbers(&catalog, lamp).await, (200, 0));
}

#[tokio::test]
async fn shards_are_folded_when_the_product_is_quiet_and_pages_show_the_last_count() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(2_000).await;
    open(&catalog, lamp).await;
    let path = format!("/api/products/{lamp}");
    let shown = async || {
        let product = catalog.client().get(&path, OK).await.body["data"].clone();
        ["stock", "held", "onHand"].map(|name| product[name].as_u64().unwrap())
    };
    assert_eq!(shown().await, [2_000, 0, 2_000]);
    for _ in 0..150 {
        catalog.hold(&[(lamp, 1)]).await;
    }
    minute(&catalog).await;
    assert_eq!(catalog.peek(lamp).await.shards, 64, "it sells");
    assert_eq!(shown().await, [1_850, 150, 2_000]);
    minute(&catalog).await;
    let product = catalog.peek(lamp).await;
    assert_eq!(
        (product.shards, product.stock, product.held),
        (0, 1_850, 150)
    );
    assert_eq!((product.shard_stock, product.shard_held), (0, 0));
    assert_eq!(shown().await, [1_850, 150, 2_000]);
    let left: Vec<serde_json::Value> = catalog.table.items_of("STOCK#", "STOCK").await;
    assert!(left.is_empty());
    let listed = catalog.store.sharded_products(10).await.unwrap();
    assert!(listed.is_empty(), "{listed:?}");
    // It can start again.
    assert_eq!(open(&catalog, lamp).await.shards, 64);
    assert_eq!(numbers(&catalog, lamp).await, (1_850, 150));
}

/// A run that dies between two shards leaves a product with fewer of them.
#[tokio::test]
async fn a_fold_that_is_interrupted_loses_nothing_and_is_finished_later() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(200).await;
    open(&catalog, lamp).await;
    catalog.hold(&[(lamp, 5)]).await;
    for _ in 0..3 {
        fold_one(&catalog, lamp).await;
        assert_eq!(numbers(&catalog, lamp).await, (195, 5));
        catalog.hold(&[(lamp, 1)]).await;
        catalog.adjust(lamp, "increase", 1).await;
        catalog
            .settle(&[catalog.cancelled(last(&catalog).await)])
            .await;
        catalog.adjust(lamp, "decrease", 1).await;
    }
    for _ in 0..3 {
        minute(&catalog).await;
    }
    let product = catalog.peek(lamp).await;
    assert_eq!((product.shards, product.stock, product.held), (0, 195, 5));
}

/// The order of the newest reservation.
async fn last(catalog: &TestCatalog) -> OrderId {
    let reservations = catalog.reservations().await.into_iter();
    reservations.map(|one| one.order_id).max().unwrap()
}

#[tokio::test]
async fn stock_in_shards_is_adjusted_as_any_other() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(200).await;
    open(&catalog, lamp).await;
    catalog.hold(&[(lamp, 10)]).await;
    let reply = catalog.adjust(lamp, "increase", 50).await;
    assert_eq!(
        (&reply["previousStock"], &reply["stock"]),
        (&json!(190), &json!(240))
    );
    assert_eq!(
        (&reply["held"], &reply["onHand"]),
        (&json!(10), &json!(250))
    );
    let reply = catalog.adjust(lamp, "decrease", 230).await;
    assert_eq!(reply["stock"], 10);
    assert_eq!(numbers(&catalog, lamp).await, (10, 10));
    let path = format!("/api/products/{lamp}/stock");
    let client = catalog.internal().with_header("Idempotency-Key", "a");
    let refused = client
        .patch(&path, &json!({ "quantity": 11 }), CONFLICT)
        .await;
    assert_eq!(refused.body["code"], "insufficient_stock");
    let too_many = json!({ "quantity": 999_991, "operation": "increase" });
    client.patch(&path, &too_many, UNPROCESSABLE_ENTITY).await;
    // What is on hand is set in one place.
    let reply = catalog.adjust(lamp, "set", 100).await;
    assert_eq!(
        (&reply["stock"], &reply["onHand"]),
        (&json!(90), &json!(100))
    );
    assert_eq!(catalog.peek(lamp).await.shards, 0);
    assert_eq!(numbers(&catalog, lamp).await, (90, 10));
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
    assert_eq!((product.shards, product.stock), (69, 16));
    assert_eq!(numbers(&catalog, lamp).await, (1_999, 101));
}

#[tokio::test]
async fn a_change_of_terms_reaches_every_shard() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(200).await;
    open(&catalog, lamp).await;
    let product = catalog.peek(lamp).await;
    let now = catalog.table.clock().now();
    let price = Money::new(7_700, Currency::USD).unwrap();
    let changed = catalog
        .store
        .change_terms(&product, ("Light", price, true), now);
    changed.await.unwrap();
    let reply = catalog.reserve(new_id(), &[(lamp, 1)]).await;
    let StockReservation::Held { lines, .. } = reply else {
        panic!("{reply:?}")
    };
    assert_eq!((&*lines[0].name, lines[0].unit_price), ("Light", price));
    let inactive = catalog
        .store
        .change_terms(&product, ("Light", price, false), now);
    inactive.await.unwrap();
    let reply = catalog.reserve(new_id(), &[(lamp, 1)]).await;
    assert!(
        matches!(reply, StockReservation::Refused { .. }),
        "{reply:?}"
    );
    // Who has read other shards has to read again.
    fold_one(&catalog, lamp).await;
    let stale = catalog
        .store
        .change_terms(&product, ("Light", price, true), now);
    assert!(stale.await.is_err());
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
