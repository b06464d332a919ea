//! `reserve-stock`: all or none, once, and never more than there is.

use catalog::domain::{HOLD, Reservation, snapshot};
use contracts::calls::{Shortage, StockReservation};
use dynamo::CommitError;
use futures_util::future::join_all;
use kernel::{OrderId, ProductId};
use serde_json::json;

use crate::shop::{Shop, quantities};

fn is_held(answer: &StockReservation) -> bool {
    matches!(answer, StockReservation::Held { .. })
}

fn short(product_id: ProductId, available: Option<u32>) -> StockReservation {
    let shortages = vec![Shortage {
        product_id,
        available,
    }];
    StockReservation::Refused { shortages }
}

#[tokio::test]
async fn held_goods_leave_the_stock_with_their_names_and_prices() {
    let shop = Shop::open().await;
    let lamp = json!({ "name": "Lamp", "price": 19.99, "stock": 5 });
    let lamp = shop.product_of(lamp).await;
    let bulb = shop
        .product_of(json!({ "name": "Bulb", "price": 2, "stock": 9 }))
        .await;
    let answer = shop
        .reserve(testkit::new_id::<OrderId>(), &[(lamp, 2), (bulb, 9)])
        .await;
    let StockReservation::Held { lines, held_until } = answer else {
        panic!("{answer:?}")
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
    assert_eq!(held_until, shop.clock.now() + HOLD);
    assert_eq!((shop.stock(lamp).await, shop.stock(bulb).await), (3, 0));
}

#[tokio::test]
async fn all_lines_are_held_or_none_and_every_short_line_is_named() {
    let shop = Shop::open().await;
    let (plenty, few, none) = (
        shop.product(9).await,
        shop.product(2).await,
        shop.product(0).await,
    );
    let (missing, order_id) = (testkit::new_id::<ProductId>(), testkit::new_id::<OrderId>());
    let lines = [(plenty, 1), (few, 3), (none, 1), (missing, 1)];
    let answer = shop.reserve(order_id, &lines).await;
    let shortage = |product_id, available| Shortage {
        product_id,
        available,
    };
    let shortages = vec![
        shortage(few, Some(2)),
        shortage(none, Some(0)),
        shortage(missing, None),
    ];
    assert_eq!(answer, StockReservation::Refused { shortages });
    assert_eq!((shop.stock(plenty).await, shop.stock(few).await), (9, 2));
    assert_eq!(shop.store().reservation(order_id).await.unwrap(), None);
    // Nothing was kept of the refusal: the same order can ask for less.
    assert!(is_held(
        &shop.reserve(order_id, &[(plenty, 1), (few, 2)]).await
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_buyers_of_fifty_units_hold_exactly_fifty() {
    let shop = Shop::open().await;
    let lamp = shop.product(50).await;
    let buyers = (0..200).map(|_| until_answered(&shop, lamp));
    let answers = join_all(buyers).await;
    let held = answers.iter().filter(|answer| is_held(answer)).count();
    let none_left = short(lamp, Some(0));
    let refused = answers
        .iter()
        .filter(|answer| **answer == none_left)
        .count();
    assert_eq!((held, refused), (50, 150));
    assert_eq!(shop.stock(lamp).await, 0);
    let kept: Vec<Reservation> = shop.table.items_of("RESERVATION#", "RESERVATION").await;
    assert_eq!(kept.len(), 50);
}

/// Asks as `place-order` does: again, for the same order, when there is no
/// answer. On a busy machine the embedded database keeps some of two hundred
/// waiting for too long, which is what a lost answer is.
async fn until_answered(shop: &Shop, product: ProductId) -> StockReservation {
    let order_id = testkit::new_id::<OrderId>();
    for _ in 0..20 {
        if let Ok(answer) = shop.try_reserve(order_id, &[(product, 1)]).await {
            return answer;
        }
    }
    panic!("no answer")
}

#[tokio::test]
async fn baskets_that_cross_never_hold_half() {
    let shop = Shop::open().await;
    let (lamp, bulb) = (shop.product(10).await, shop.product(10).await);
    let baskets = (0..30).map(|n| {
        let lines = if n % 2 == 0 {
            [(lamp, 2), (bulb, 1)]
        } else {
            [(bulb, 2), (lamp, 1)]
        };
        let shop = &shop;
        async move { shop.reserve(testkit::new_id::<OrderId>(), &lines).await }
    });
    let answers = join_all(baskets).await;
    let kept: Vec<Reservation> = shop.table.items_of("RESERVATION#", "RESERVATION").await;
    assert_eq!(
        kept.len(),
        answers.iter().filter(|answer| is_held(answer)).count()
    );
    for product in [lamp, bulb] {
        let lines = kept.iter().flat_map(|one| &one.lines);
        let held: u32 = lines
            .filter(|l| l.product_id == product)
            .map(|l| l.quantity)
            .sum();
        assert_eq!(shop.stock(product).await + held, 10);
    }
}

#[tokio::test]
async fn an_order_that_asks_again_has_one_hold_and_the_same_answer() {
    let shop = Shop::open().await;
    let lamp = shop.product(3).await;
    let order_id = testkit::new_id::<OrderId>();
    let first = shop.reserve(order_id, &[(lamp, 3)]).await;
    assert!(is_held(&first));
    // The last ones are gone now, and they are this order's.
    shop.clock.advance(HOLD / 2);
    assert_eq!(shop.reserve(order_id, &[(lamp, 3)]).await, first);
    assert_eq!(shop.stock(lamp).await, 0);

    let restocked = shop.product(9).await;
    let (twin, line) = (testkit::new_id::<OrderId>(), [(restocked, 2)]);
    let answers = join_all((0..16).map(|_| shop.reserve(twin, &line))).await;
    assert!(
        answers
            .iter()
            .all(|answer| *answer == answers[0] && is_held(answer))
    );
    assert_eq!(shop.stock(restocked).await, 7);
}

#[tokio::test]
async fn a_hold_that_is_over_or_for_other_goods_is_gone() {
    let shop = Shop::open().await;
    let (lamp, bulb) = (shop.product(3).await, shop.product(3).await);
    let order_id = shop.hold(&[(lamp, 1)]).await;
    for other in [vec![(lamp, 2)], vec![(bulb, 1)], vec![(lamp, 1), (bulb, 1)]] {
        assert_eq!(shop.reserve(order_id, &other).await, StockReservation::Gone);
    }
    shop.clock.advance(HOLD);
    assert_eq!(
        shop.reserve(order_id, &[(lamp, 1)]).await,
        StockReservation::Gone
    );
    shop.tell(&[shop.cancelled(order_id)]).await;
    assert_eq!(
        shop.reserve(order_id, &[(lamp, 1)]).await,
        StockReservation::Gone
    );
    assert_eq!((shop.stock(lamp).await, shop.stock(bulb).await), (3, 3));
}

#[tokio::test]
async fn a_straggler_of_an_order_that_has_its_goods_is_told_so() {
    let shop = Shop::open().await;
    let lamp = shop.product(3).await;
    let order_id = testkit::new_id::<OrderId>();
    let held = shop.reserve(order_id, &[(lamp, 1)]).await;
    shop.tell(&[shop.authorized(order_id)]).await;
    shop.clock.advance(HOLD * 2);
    assert_eq!(shop.reserve(order_id, &[(lamp, 1)]).await, held);
    assert_eq!(shop.stock(lamp).await, 2);
}

#[tokio::test]
async fn goods_are_not_held_at_a_price_or_name_that_has_changed() {
    let shop = Shop::open().await;
    let lamp = shop.product(3).await;
    let read = shop.store().product(lamp).await.unwrap().unwrap();
    let lines = snapshot(&quantities(&[(lamp, 1)]), &[read]).unwrap();
    let wrong = [
        {
            let mut lines = lines.clone();
            lines[0].name = "Other".into();
            lines
        },
        {
            let mut lines = lines.clone();
            lines[0].unit_price = lines[0].unit_price.checked_mul(2).unwrap();
            lines
        },
    ];
    let hold = |lines| {
        let now = shop.clock.now();
        Reservation::hold(testkit::new_id::<OrderId>(), lines, "chain".into(), now)
    };
    for lines in wrong {
        let refused = shop.store().hold(&hold(lines)).await;
        let Err(CommitError::ConditionFailed(refused)) = refused else {
            panic!("{refused:?}")
        };
        assert!(refused.names("line") && !refused.names("reservation"));
    }
    assert_eq!(shop.stock(lamp).await, 3);
    shop.store().hold(&hold(lines)).await.unwrap();
    assert_eq!(shop.stock(lamp).await, 2);
}

#[tokio::test]
async fn a_call_that_no_order_makes_is_an_error_and_holds_nothing() {
    let shop = Shop::open().await;
    let lamp = shop.product(9).await;
    let too_many: Vec<_> = (0..51).map(|_| (testkit::new_id::<ProductId>(), 1)).collect();
    for lines in [
        vec![(lamp, 1), (lamp, 1)],
        vec![(lamp, 0)],
        vec![],
        too_many,
    ] {
        assert!(
            shop.try_reserve(testkit::new_id::<OrderId>(), &lines).await.is_err(),
            "{lines:?}"
        );
    }
    assert_eq!(shop.stock(lamp).await, 9);
}

#[tokio::test]
async fn fifty_lines_fit_into_one_transaction_there_and_back() {
    let shop = Shop::open().await;
    let mut lines = Vec::new();
    for _ in 0..50 {
        lines.push((shop.product(1).await, 1));
    }
    let order_id = shop.hold(&lines).await;
    shop.clock.advance(HOLD);
    shop.tell(&[shop.authorized(order_id)]).await;
    for (product, _) in lines {
        assert_eq!(shop.stock(product).await, 1);
    }
}
