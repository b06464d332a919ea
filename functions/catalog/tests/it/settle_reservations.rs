//! `settle-reservations`: sells in time, gives back once, answers once.

use catalog::domain::{HOLD, Status};
use contracts::events::{
    OrderAuthorized, OrderConfirmed, RejectionReason, StockCommitRejected, StockReleased,
};
use futures_util::future::join_all;
use kernel::{Currency, Money, OrderId, PaymentId, ProductId, SignedDuration, UserId};

use crate::shop::{Shop, quantities};

/// Why the last rejection of an order was said.
async fn rejected(shop: &Shop, id: OrderId) -> RejectionReason {
    let events = shop.table.events().await;
    let mut rejections = events
        .iter()
        .filter(|event| event.subject == id.to_string() && event.is::<StockCommitRejected>());
    rejections
        .next_back()
        .unwrap()
        .read::<StockCommitRejected>()
        .unwrap()
        .reason
}

async fn held(stock: u32, quantity: u32) -> (Shop, ProductId, OrderId) {
    let shop = Shop::open().await;
    let lamp = shop.product(stock).await;
    let order_id = shop.hold(&[(lamp, quantity)]).await;
    (shop, lamp, order_id)
}

#[tokio::test]
async fn authorised_goods_are_sold_and_the_order_is_told_once() {
    let (shop, lamp, order_id) = held(5, 2).await;
    let event = shop.authorized(order_id);
    for _ in 0..3 {
        shop.tell(&[event.clone(), event.clone()]).await;
    }
    let reservation = shop.reservation(order_id).await;
    assert_eq!(reservation.status, Status::Sold);
    assert_eq!(shop.said_of(order_id).await, ["stock.committed"]);
    assert_eq!(shop.stock(lamp).await, 3);
    let said = shop.table.events().await;
    let said = said
        .iter()
        .find(|event| event.event_type == "stock.committed")
        .unwrap();
    assert_eq!(said.correlationid, event.correlationid);
    assert_eq!(said.causationid, event.id.to_string());
    // A sold order's goods are never given back by time.
    shop.clock.advance(HOLD * 2);
    assert_eq!(shop.expire().await, 0);
    assert_eq!(shop.stock(lamp).await, 3);
}

#[tokio::test]
async fn a_hold_is_sold_in_its_last_millisecond_and_not_after() {
    let (shop, lamp, in_time) = held(5, 2).await;
    let late = shop.hold(&[(lamp, 3)]).await;
    shop.clock.advance(HOLD - SignedDuration::from_millis(1));
    shop.tell(&[shop.authorized(in_time)]).await;
    shop.clock.advance(SignedDuration::from_millis(1));
    let event = shop.authorized(late);
    for _ in 0..2 {
        shop.tell(std::slice::from_ref(&event)).await;
    }
    assert_eq!(shop.reservation(in_time).await.status, Status::Sold);
    assert_eq!(shop.reservation(late).await.status, Status::Expired);
    assert_eq!(shop.stock(lamp).await, 3);
    let said = shop.said_of(late).await;
    assert_eq!(said, ["reservation.expired", "stock.commit_rejected"]);
    assert_eq!(
        rejected(&shop, late).await,
        RejectionReason::ReservationExpired
    );
    assert_eq!(shop.expire().await, 0);
    assert_eq!(shop.stock(lamp).await, 3);
}

#[tokio::test]
async fn goods_of_an_order_that_is_over_come_back_once() {
    for sold in [false, true] {
        for failed in [false, true] {
            let (shop, lamp, order_id) = held(5, 2).await;
            if sold {
                shop.tell(&[shop.authorized(order_id)]).await;
            }
            let over = |failed| {
                if failed {
                    shop.payment_failed(order_id)
                } else {
                    shop.cancelled(order_id)
                }
            };
            let event = over(failed);
            shop.tell(&[event.clone(), event.clone()]).await;
            shop.tell(&[event, over(!failed)]).await;
            assert_eq!(shop.stock(lamp).await, 5);
            assert_eq!(shop.reservation(order_id).await.status, Status::Released);
            let events = shop.table.events().await;
            let released: Vec<_> = events
                .iter()
                .filter(|event| event.is::<StockReleased>())
                .collect();
            assert_eq!(released.len(), 1);
            let lines = released[0].read::<StockReleased>().unwrap().lines;
            assert_eq!(lines, quantities(&[(lamp, 2)]));
        }
    }
}

#[tokio::test]
async fn an_order_that_is_over_first_does_not_get_its_goods_after() {
    let (shop, lamp, order_id) = held(5, 2).await;
    shop.tell(&[shop.cancelled(order_id)]).await;
    let event = shop.authorized(order_id);
    for _ in 0..2 {
        shop.tell(std::slice::from_ref(&event)).await;
    }
    assert_eq!(
        shop.said_of(order_id).await,
        ["stock.released", "stock.commit_rejected"]
    );
    assert_eq!(
        rejected(&shop, order_id).await,
        RejectionReason::ReservationReleased
    );
    assert_eq!(shop.stock(lamp).await, 5);
}

#[tokio::test]
async fn an_order_without_a_hold_is_told_so_once() {
    let shop = Shop::open().await;
    let lamp = shop.product(5).await;
    let order_id = testkit::new_id::<OrderId>();
    shop.tell(&[shop.cancelled(order_id)]).await;
    assert_eq!(shop.store().reservation(order_id).await.unwrap(), None);
    let event = shop.authorized(order_id);
    join_all((0..8).map(|_| shop.tell(std::slice::from_ref(&event)))).await;
    assert_eq!(shop.said_of(order_id).await, ["stock.commit_rejected"]);
    assert_eq!(
        rejected(&shop, order_id).await,
        RejectionReason::ReservationMissing
    );
    // Nor does a straggler get goods for it, or an end of it give some back.
    let answer = shop.reserve(order_id, &[(lamp, 1)]).await;
    assert_eq!(answer, contracts::calls::StockReservation::Gone);
    shop.tell(&[shop.cancelled(order_id)]).await;
    assert_eq!(shop.stock(lamp).await, 5);
    assert_eq!(shop.said_of(order_id).await.len(), 1);
}

#[tokio::test]
async fn events_at_once_decide_one_after_the_other() {
    let shop = Shop::open().await;
    let lamp = shop.product(40).await;
    for _ in 0..20 {
        let order_id = shop.hold(&[(lamp, 2)]).await;
        let (sell, back) = (shop.authorized(order_id), shop.cancelled(order_id));
        let again = shop.payment_failed(order_id);
        let all = [&sell, &back, &again, &sell, &back].map(|event| vec![event.clone()]);
        join_all(all.iter().map(|events| shop.tell(events))).await;
        // Whoever was first: the goods are back, once, and each event was
        // answered at most once.
        assert_eq!(shop.stock(lamp).await, 40);
        let said = shop.said_of(order_id).await;
        let count = |name: &str| said.iter().filter(|one| *one == name).count();
        assert_eq!(count("stock.released"), 1, "{said:?}");
        assert_eq!(
            count("stock.committed") + count("stock.commit_rejected"),
            1,
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn what_it_does_not_know_is_done_with_and_what_does_not_read_comes_again() {
    let (shop, lamp, order_id) = held(5, 2).await;
    let confirmed = shop.says(&OrderConfirmed {
        order_id,
        user_id: testkit::new_id::<UserId>(),
        payment_id: testkit::new_id::<PaymentId>(),
        lines: Vec::new(),
        total: Money::zero(Currency::USD),
    });
    let mut broken = shop.says(&OrderAuthorized {
        order_id,
        payment_id: testkit::new_id::<PaymentId>(),
    });
    broken.data["orderId"] = "x".into();
    let good = shop.authorized(order_id);
    assert_eq!(shop.try_tell(&[confirmed, broken, good]).await, [1]);
    assert_eq!(shop.said_of(order_id).await, ["stock.committed"]);
    assert_eq!(shop.stock(lamp).await, 3);
}
