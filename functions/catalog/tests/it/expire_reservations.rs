//! `expire-reservations`: what nobody came for goes back, once.

use catalog::domain::{HOLD, Status};
use futures_util::future::{join, join_all};
use kernel::SignedDuration;

use crate::shop::Shop;

#[tokio::test]
async fn goods_go_back_when_their_time_is_over_and_not_before() {
    let shop = Shop::open().await;
    let lamp = shop.product(10).await;
    let first = shop.hold(&[(lamp, 3)]).await;
    shop.clock.advance(SignedDuration::from_mins(5));
    let second = shop.hold(&[(lamp, 4)]).await;
    shop.clock
        .advance(HOLD - SignedDuration::from_mins(5) - SignedDuration::from_millis(1));
    assert_eq!(shop.expire().await, 0);
    shop.clock.advance(SignedDuration::from_millis(1));
    assert_eq!(shop.expire().await, 1);
    assert_eq!(shop.stock(lamp).await, 6);
    assert_eq!(shop.reservation(first).await.status, Status::Expired);
    assert_eq!(shop.reservation(second).await.status, Status::Held);
    assert_eq!(shop.said_of(first).await, ["reservation.expired"]);
    let events = shop.table.events().await;
    let said = events
        .iter()
        .find(|event| event.event_type == "reservation.expired")
        .unwrap();
    assert_eq!(said.correlationid, "chain");
    assert_eq!(said.actor, "function:expire-reservations");
    assert_eq!(shop.expire().await, 0);
    assert_eq!(shop.stock(lamp).await, 6);
}

#[tokio::test]
async fn rounds_at_once_give_each_hold_back_once() {
    let shop = Shop::open().await;
    let lamp = shop.product(30).await;
    for _ in 0..30 {
        shop.hold(&[(lamp, 1)]).await;
    }
    assert_eq!(shop.stock(lamp).await, 0);
    shop.clock.advance(HOLD);
    let rounds = join_all((0..4).map(|_| shop.expire())).await;
    assert_eq!(rounds.iter().sum::<u64>(), 30);
    assert_eq!(shop.stock(lamp).await, 30);
}

#[tokio::test]
async fn a_round_and_an_event_of_the_order_give_back_once() {
    let shop = Shop::open().await;
    let lamp = shop.product(10).await;
    for round_first in [true, false] {
        for order_pays in [true, false] {
            let order_id = shop.hold(&[(lamp, 4)]).await;
            shop.clock.advance(HOLD);
            let event = if order_pays {
                shop.authorized(order_id)
            } else {
                shop.cancelled(order_id)
            };
            if round_first {
                assert_eq!(shop.expire().await, 1);
                shop.tell(&[event]).await;
            } else {
                shop.tell(&[event]).await;
                assert_eq!(shop.expire().await, 0);
            }
            assert_eq!(shop.stock(lamp).await, 10, "{round_first} {order_pays}");
        }
    }
    for _ in 0..20 {
        let order_id = shop.hold(&[(lamp, 4)]).await;
        shop.clock.advance(HOLD);
        let event = [shop.authorized(order_id)];
        join(join(shop.expire(), shop.tell(&event)), shop.expire()).await;
        assert_eq!(shop.stock(lamp).await, 10);
        let said = shop.said_of(order_id).await;
        assert_eq!(said, ["reservation.expired", "stock.commit_rejected"]);
    }
}

#[tokio::test]
async fn a_hold_whose_product_is_lost_does_not_keep_the_others() {
    let shop = Shop::open().await;
    let (lamp, lost) = (shop.product(5).await, shop.product(5).await);
    let stuck = shop.hold(&[(lost, 1)]).await;
    let fine = shop.hold(&[(lamp, 1)]).await;
    let key = dynamo::Key::new(format!("PRODUCT#{lost}"), "PRODUCT");
    let always = dynamo::Expression::when("attribute_exists(pk)");
    shop.table.table().delete(key, always).await.unwrap();
    shop.clock.advance(HOLD);
    let round = catalog::events::expire_reservations::expire_reservations(
        catalog::App {
            store: shop.store(),
            clock: shop.clock.clone(),
        }
        .into(),
    );
    assert!(
        round.await.is_err(),
        "a round that could not end a hold says so"
    );
    assert_eq!(shop.reservation(fine).await.status, Status::Expired);
    assert_eq!(shop.reservation(stuck).await.status, Status::Held);
    assert_eq!(shop.stock(lamp).await, 5);
    assert_eq!(
        shop.store().product(lost).await.unwrap(),
        None,
        "half a product came back"
    );
}
