use catalog::domain::{HOLD_PERIOD, Status};
use contracts::{
    Envelope,
    calls::StockReservation,
    events::{OrderConfirmed, RejectionReason, StockCommitRejected, StockReleased},
};
use futures_util::future::join_all;
use kernel::{Currency, Money, OrderId, ProductId, SignedDuration};

use crate::fixture::{TestCatalog, quantities};

/// The reason of an order's last rejection.
async fn rejection_reason(catalog: &TestCatalog, id: OrderId) -> RejectionReason {
    let events = catalog.events_of(id).await;
    let is_rejection = |event: &&Envelope| event.is::<StockCommitRejected>();
    let last = events.iter().rfind(is_rejection).unwrap();
    last.read::<StockCommitRejected>().unwrap().reason
}

async fn held(stock: u32, quantity: u32) -> (TestCatalog, ProductId, OrderId) {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(stock).await;
    let order_id = catalog.hold(&[(lamp, quantity)]).await;
    (catalog, lamp, order_id)
}

#[tokio::test]
async fn goods_of_an_authorised_order_are_sold_and_announced_once() {
    let (catalog, lamp, order_id) = held(5, 2).await;
    let authorized = catalog.authorized(order_id);
    for _ in 0..3 {
        let events = [authorized.clone(), authorized.clone()];
        catalog.settle(&events).await;
    }
    assert_eq!(catalog.reservation(order_id).await.status, Status::Sold);
    assert_eq!(catalog.stock(lamp).await, 3);
    let events = catalog.events_of(order_id).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event_type, "stock.committed");
    assert_eq!(events[0].correlationid, authorized.correlationid);
    assert_eq!(events[0].causationid, authorized.id.to_string());
    // Sold goods do not expire.
    catalog.advance(HOLD_PERIOD * 2);
    assert_eq!(catalog.expire().await, 0);
    assert_eq!(catalog.stock(lamp).await, 3);
}

#[tokio::test]
async fn goods_are_sold_in_the_last_millisecond_of_the_hold_period_and_not_after() {
    let (catalog, lamp, in_time) = held(5, 2).await;
    let late = catalog.hold(&[(lamp, 3)]).await;
    catalog.advance(HOLD_PERIOD - SignedDuration::from_millis(1));
    catalog.settle(&[catalog.authorized(in_time)]).await;
    catalog.advance(SignedDuration::from_millis(1));
    let authorized = catalog.authorized(late);
    for _ in 0..2 {
        catalog.settle(std::slice::from_ref(&authorized)).await;
    }
    assert_eq!(catalog.reservation(in_time).await.status, Status::Sold);
    assert_eq!(catalog.reservation(late).await.status, Status::Expired);
    assert_eq!(catalog.stock(lamp).await, 3);
    let events = catalog.event_types_of(late).await;
    assert_eq!(events, ["reservation.expired", "stock.commit_rejected"]);
    let reason = rejection_reason(&catalog, late).await;
    assert_eq!(reason, RejectionReason::ReservationExpired);
    assert_eq!(catalog.expire().await, 0);
    assert_eq!(catalog.stock(lamp).await, 3);
}

#[tokio::test]
async fn goods_of_an_ended_order_are_restocked_once() {
    for sold in [false, true] {
        for payment_failed in [false, true] {
            let (catalog, lamp, order_id) = held(5, 2).await;
            if sold {
                catalog.settle(&[catalog.authorized(order_id)]).await;
            }
            let ended = |payment_failed| {
                if payment_failed {
                    catalog.payment_failed(order_id)
                } else {
                    catalog.cancelled(order_id)
                }
            };
            let event = ended(payment_failed);
            catalog.settle(&[event.clone(), event.clone()]).await;
            catalog.settle(&[event, ended(!payment_failed)]).await;
            assert_eq!(catalog.stock(lamp).await, 5);
            assert_eq!(catalog.reservation(order_id).await.status, Status::Released);
            let events = catalog.events_of(order_id).await;
            let released: Vec<_> = events.iter().filter(|e| e.is::<StockReleased>()).collect();
            assert_eq!(released.len(), 1);
            let lines = released[0].read::<StockReleased>().unwrap().lines;
            assert_eq!(lines, quantities(&[(lamp, 2)]));
        }
    }
}

#[tokio::test]
async fn an_order_that_ended_before_its_authorisation_gets_no_goods() {
    let (catalog, lamp, order_id) = held(5, 2).await;
    catalog.settle(&[catalog.cancelled(order_id)]).await;
    let authorized = catalog.authorized(order_id);
    for _ in 0..2 {
        catalog.settle(std::slice::from_ref(&authorized)).await;
    }
    let events = catalog.event_types_of(order_id).await;
    assert_eq!(events, ["stock.released", "stock.commit_rejected"]);
    let reason = rejection_reason(&catalog, order_id).await;
    assert_eq!(reason, RejectionReason::ReservationReleased);
    assert_eq!(catalog.stock(lamp).await, 5);
}

#[tokio::test]
async fn an_order_without_a_reservation_is_rejected_once() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(5).await;
    let order_id = testkit::new_id();
    catalog.settle(&[catalog.cancelled(order_id)]).await;
    assert_eq!(catalog.store.reservation(order_id).await.unwrap(), None);
    let authorized = [catalog.authorized(order_id)];
    join_all((0..8).map(|_| catalog.settle(&authorized))).await;
    let events = catalog.event_types_of(order_id).await;
    assert_eq!(events, ["stock.commit_rejected"]);
    let reason = rejection_reason(&catalog, order_id).await;
    assert_eq!(reason, RejectionReason::ReservationMissing);
    // A late call reserves nothing for it, and its end releases nothing.
    let reply = catalog.reserve(order_id, &[(lamp, 1)]).await;
    assert_eq!(reply, StockReservation::Gone);
    catalog.settle(&[catalog.cancelled(order_id)]).await;
    assert_eq!(catalog.stock(lamp).await, 5);
    assert_eq!(catalog.event_types_of(order_id).await.len(), 1);
}

#[tokio::test]
async fn concurrent_events_are_decided_one_after_the_other() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(40).await;
    for _ in 0..20 {
        let order_id = catalog.hold(&[(lamp, 2)]).await;
        let authorized = catalog.authorized(order_id);
        let cancelled = catalog.cancelled(order_id);
        let failed = catalog.payment_failed(order_id);
        let deliveries = [&authorized, &cancelled, &failed, &authorized, &cancelled]
            .map(|event| vec![event.clone()]);
        join_all(deliveries.iter().map(|events| catalog.settle(events))).await;
        // Whichever came first: the goods are restocked once, and each event is
        // answered at most once.
        assert_eq!(catalog.stock(lamp).await, 40);
        let events = catalog.event_types_of(order_id).await;
        let count = |wanted: &str| events.iter().filter(|name| *name == wanted).count();
        assert_eq!(count("stock.released"), 1, "{events:?}");
        let answers = count("stock.committed") + count("stock.commit_rejected");
        assert_eq!(answers, 1, "{events:?}");
    }
}

#[tokio::test]
async fn an_unrelated_event_succeeds_and_an_unreadable_one_fails() {
    let (catalog, lamp, order_id) = held(5, 2).await;
    let unrelated = catalog.table.event(&OrderConfirmed {
        order_id,
        user_id: testkit::new_id(),
        payment_id: testkit::new_id(),
        lines: Vec::new(),
        total: Money::zero(Currency::USD),
    });
    let mut unreadable = catalog.authorized(order_id);
    unreadable.data["orderId"] = "x".into();
    let authorized = catalog.authorized(order_id);
    let events = [unrelated, unreadable, authorized];
    assert_eq!(catalog.try_settle(&events).await, [1]);
    let events = catalog.event_types_of(order_id).await;
    assert_eq!(events, ["stock.committed"]);
    assert_eq!(catalog.stock(lamp).await, 3);
}
