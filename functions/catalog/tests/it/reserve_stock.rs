use catalog::domain::{HOLD_PERIOD, Reservation, check_availability};
use contracts::calls::{Shortage, StockReservation};
use dynamo::{CommitError, Outcome};
use futures_util::future::join_all;
use kernel::{OrderId, ProductId};
use serde_json::json;

use crate::fixture::{TestCatalog, quantities};

fn is_held(reply: &StockReservation) -> bool {
    matches!(reply, StockReservation::Held { .. })
}

#[tokio::test]
async fn reserved_goods_leave_the_stock_with_their_names_and_prices() {
    let catalog = TestCatalog::new().await;
    let lamp = json!({ "name": "Lamp", "price": 19.99, "stock": 5 });
    let lamp = catalog.product_of(lamp).await;
    let bulb = json!({ "name": "Bulb", "price": 2, "stock": 9 });
    let bulb = catalog.product_of(bulb).await;
    let lines = [(lamp, 2), (bulb, 9)];
    let reply = catalog.reserve(testkit::new_id(), &lines).await;
    let StockReservation::Held { lines, held_until } = reply else {
        panic!("{reply:?}")
    };
    let lines: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line.product_id,
                &*line.name,
                line.quantity,
                line.unit_price.minor(),
            )
        })
        .collect();
    assert_eq!(lines, [(lamp, "Lamp", 2, 1_999), (bulb, "Bulb", 9, 200)]);
    assert_eq!(held_until, catalog.table.clock().now() + HOLD_PERIOD);
    let stocks = (catalog.stock(lamp).await, catalog.stock(bulb).await);
    assert_eq!(stocks, (3, 0));
}

#[tokio::test]
async fn all_lines_are_reserved_or_none_and_every_shortage_is_reported() {
    let catalog = TestCatalog::new().await;
    let enough = catalog.product(9).await;
    let few = catalog.product(2).await;
    let none = catalog.product(0).await;
    let missing: ProductId = testkit::new_id();
    let order_id: OrderId = testkit::new_id();
    let lines = [(enough, 1), (few, 3), (none, 1), (missing, 1)];
    let reply = catalog.reserve(order_id, &lines).await;
    let shortage = |product_id, available| Shortage {
        product_id,
        available,
    };
    let shortages = vec![
        shortage(few, Some(2)),
        shortage(none, Some(0)),
        shortage(missing, None),
    ];
    assert_eq!(reply, StockReservation::Refused { shortages });
    let stocks = (catalog.stock(enough).await, catalog.stock(few).await);
    assert_eq!(stocks, (9, 2));
    assert_eq!(catalog.store.reservation(order_id).await.unwrap(), None);
    // The refusal left nothing behind: the same order can request less.
    let reply = catalog.reserve(order_id, &[(enough, 1), (few, 2)]).await;
    assert!(is_held(&reply));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_orders_of_fifty_units_reserve_exactly_fifty() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(50).await;
    let orders = (0..200).map(|_| catalog.reserve_at_last(lamp));
    let replies = join_all(orders).await;
    let held = replies.iter().filter(|reply| is_held(reply)).count();
    let sold_out = StockReservation::Refused {
        shortages: vec![Shortage {
            product_id: lamp,
            available: Some(0),
        }],
    };
    let refused = replies.iter().filter(|reply| **reply == sold_out).count();
    assert_eq!((held, refused), (50, 150));
    assert_eq!(catalog.stock(lamp).await, 0);
    assert_eq!(catalog.reservations().await.len(), 50);
}

#[tokio::test]
async fn concurrent_orders_of_the_same_products_are_never_reserved_in_part() {
    let catalog = TestCatalog::new().await;
    let (lamp, bulb) = (catalog.product(10).await, catalog.product(10).await);
    let orders = (0..30).map(|n| {
        let lines = if n % 2 == 0 {
            [(lamp, 2), (bulb, 1)]
        } else {
            [(bulb, 2), (lamp, 1)]
        };
        let catalog = &catalog;
        async move { catalog.reserve(testkit::new_id(), &lines).await }
    });
    let replies = join_all(orders).await;
    let reservations = catalog.reservations().await;
    let held = replies.iter().filter(|reply| is_held(reply)).count();
    assert_eq!(reservations.len(), held);
    for product in [lamp, bulb] {
        let lines = reservations.iter().flat_map(|one| &one.lines);
        let lines = lines.filter(|line| line.product_id == product);
        let held: u32 = lines.map(|line| line.quantity).sum();
        assert_eq!(catalog.stock(product).await + held, 10);
    }
}

#[tokio::test]
async fn repeated_calls_make_one_reservation_and_get_the_same_reply() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(3).await;
    let order_id = testkit::new_id();
    let first = catalog.reserve(order_id, &[(lamp, 3)]).await;
    assert!(is_held(&first));
    // The stock is empty now, but its goods are this order's.
    catalog.advance(HOLD_PERIOD / 2);
    assert_eq!(catalog.reserve(order_id, &[(lamp, 3)]).await, first);
    assert_eq!(catalog.stock(lamp).await, 0);

    let bulb = catalog.product(9).await;
    let (order_id, line) = (testkit::new_id(), [(bulb, 2)]);
    let replies = join_all((0..16).map(|_| catalog.reserve(order_id, &line))).await;
    assert!(is_held(&replies[0]));
    assert!(replies.iter().all(|reply| *reply == replies[0]));
    assert_eq!(catalog.stock(bulb).await, 7);
}

#[tokio::test]
async fn a_call_for_other_goods_or_after_the_end_gets_gone() {
    let catalog = TestCatalog::new().await;
    let (lamp, bulb) = (catalog.product(3).await, catalog.product(3).await);
    let order_id = catalog.hold(&[(lamp, 1)]).await;
    let gone = StockReservation::Gone;
    for other in [vec![(lamp, 2)], vec![(bulb, 1)], vec![(lamp, 1), (bulb, 1)]] {
        assert_eq!(catalog.reserve(order_id, &other).await, gone);
    }
    catalog.advance(HOLD_PERIOD);
    assert_eq!(catalog.reserve(order_id, &[(lamp, 1)]).await, gone);
    catalog.settle(&[catalog.cancelled(order_id)]).await;
    assert_eq!(catalog.reserve(order_id, &[(lamp, 1)]).await, gone);
    let stocks = (catalog.stock(lamp).await, catalog.stock(bulb).await);
    assert_eq!(stocks, (3, 3));
}

#[tokio::test]
async fn a_late_call_of_an_order_that_has_its_goods_gets_the_first_reply() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(3).await;
    let order_id = testkit::new_id();
    let first = catalog.reserve(order_id, &[(lamp, 1)]).await;
    catalog.settle(&[catalog.authorized(order_id)]).await;
    catalog.advance(HOLD_PERIOD * 2);
    assert_eq!(catalog.reserve(order_id, &[(lamp, 1)]).await, first);
    assert_eq!(catalog.stock(lamp).await, 2);
}

#[tokio::test]
async fn goods_whose_name_or_price_has_changed_are_not_reserved() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(3).await;
    let product = catalog.store.product(lamp).await.unwrap().unwrap();
    let lines = check_availability(&quantities(&[(lamp, 1)]), &[product]).unwrap();
    let (mut renamed, mut repriced) = (lines.clone(), lines.clone());
    renamed[0].name = "Other".into();
    repriced[0].unit_price = lines[0].unit_price.checked_mul(2).unwrap();
    let hold = |lines| {
        let now = catalog.table.clock().now();
        Reservation::hold(testkit::new_id(), lines, "test-correlation".into(), now)
    };
    for lines in [renamed, repriced] {
        let refused = catalog.store.reserve(&hold(lines), &[]).await;
        let Err(CommitError::ConditionFailed(failed)) = refused else {
            panic!("{refused:?}")
        };
        assert!(failed.includes("line") && !failed.includes("reservation"));
    }
    assert_eq!(catalog.stock(lamp).await, 3);
    let reserved = catalog.store.reserve(&hold(lines), &[]).await;
    assert_eq!(reserved.unwrap(), Outcome::Committed);
    assert_eq!(catalog.stock(lamp).await, 2);
}

#[tokio::test]
async fn invalid_lines_fail_the_call_and_reserve_nothing() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(9).await;
    let too_many: Vec<_> = (0..51).map(|_| (testkit::new_id(), 1)).collect();
    for lines in [
        vec![(lamp, 1), (lamp, 1)],
        vec![(lamp, 0)],
        vec![],
        too_many,
    ] {
        let reply = catalog.try_reserve(testkit::new_id(), &lines, false).await;
        assert!(reply.is_err(), "{lines:?}");
    }
    assert_eq!(catalog.stock(lamp).await, 9);
}

#[tokio::test]
async fn fifty_lines_are_reserved_and_restocked_in_one_transaction_each() {
    let catalog = TestCatalog::new().await;
    let mut lines = Vec::new();
    for _ in 0..50 {
        lines.push((catalog.product(1).await, 1));
    }
    let order_id = catalog.hold(&lines).await;
    catalog.advance(HOLD_PERIOD);
    catalog.settle(&[catalog.authorized(order_id)]).await;
    for (product, _) in lines {
        assert_eq!(catalog.stock(product).await, 1);
    }
}
