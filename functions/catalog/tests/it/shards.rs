//! Shards of products: what returns to them, how they end, and what reaches them.

use catalog::domain::{HOLD_PERIOD, Status};
use contracts::calls::StockReservation;
use dynamo::Outcome;
use kernel::{Currency, Money, OrderId, ProductId, SignedDuration};
use serde_json::json;
use testkit::{new_id, status::*};

use crate::{
    fixture::TestCatalog,
    hot_product::{numbers, open},
};

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
