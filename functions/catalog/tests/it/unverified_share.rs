//! The share of the stock that buyers who have not proven their address may hold.

use catalog::domain::HOLD_PERIOD;
use contracts::calls::{ReserveStock, Shortage, StockReservation};
use futures_util::future::join_all;
use kernel::{OrderId, ProductId};
use serde_json::json;
use testkit::new_id;

use crate::fixture::TestCatalog;

fn is_held(reply: &StockReservation) -> bool {
    matches!(reply, StockReservation::Held { .. })
}

fn limited(product_id: ProductId, available: u32) -> StockReservation {
    StockReservation::Limited {
        excesses: vec![Shortage {
            product_id,
            available: Some(available),
        }],
    }
}

/// Reserves goods for a new order of an unverified buyer.
async fn hold(catalog: &TestCatalog, lines: &[(ProductId, u32)]) -> OrderId {
    let order_id = new_id();
    let reply = catalog.reserve_unverified(order_id, lines).await;
    assert!(is_held(&reply), "{reply:?}");
    order_id
}

#[tokio::test]
async fn unverified_buyers_hold_a_quarter_together_and_others_get_the_rest() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(8).await;
    let reply = catalog.reserve_unverified(new_id(), &[(lamp, 3)]).await;
    assert_eq!(reply, limited(lamp, 2));
    for _ in 0..2 {
        hold(&catalog, &[(lamp, 1)]).await;
    }
    let refused: OrderId = new_id();
    let reply = catalog.reserve_unverified(refused, &[(lamp, 1)]).await;
    assert_eq!(reply, limited(lamp, 0));
    assert_eq!(catalog.store.reservation(refused).await.unwrap(), None);
    catalog.hold(&[(lamp, 6)]).await;
    let (stock, held) = (
        catalog.stock(lamp).await,
        catalog.held_unverified(lamp).await,
    );
    assert_eq!((stock, held), (0, 2));
    // What is sold out is sold out for everybody.
    let reply = catalog.reserve_unverified(new_id(), &[(lamp, 1)]).await;
    assert!(matches!(reply, StockReservation::Refused { .. }));
}

#[tokio::test]
async fn a_single_piece_is_sold_to_an_unverified_buyer() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(1).await;
    hold(&catalog, &[(lamp, 1)]).await;
}

#[tokio::test]
async fn one_line_over_its_share_refuses_the_order_and_reserves_nothing() {
    let catalog = TestCatalog::new().await;
    let (lamp, bulb) = (catalog.product(8).await, catalog.product(8).await);
    let lines = [(lamp, 1), (bulb, 3)];
    let reply = catalog.reserve_unverified(new_id(), &lines).await;
    assert_eq!(reply, limited(bulb, 2));
    for product in [lamp, bulb] {
        let held = catalog.held_unverified(product).await;
        assert_eq!((catalog.stock(product).await, held), (8, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simultaneous_orders_of_unverified_buyers_do_not_exceed_the_share() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(40).await;
    let order = async || {
        let order_id = new_id();
        // Contention is as good as a lost reply, and the call is repeated.
        for _ in 0..20 {
            let reply = catalog.try_reserve(order_id, &[(lamp, 1)], true).await;
            if let Ok(reply) = reply
                && reply != StockReservation::Contended
            {
                return reply;
            }
        }
        panic!("no reply")
    };
    let replies = join_all((0..30).map(|_| order())).await;
    let held = replies.iter().filter(|reply| is_held(reply)).count();
    let refused = limited(lamp, 0);
    let refused = replies.iter().filter(|reply| **reply == refused).count();
    assert_eq!((held, refused), (10, 20));
    assert_eq!(catalog.held_unverified(lamp).await, 10);
    catalog.hold(&[(lamp, 30)]).await;
}

#[tokio::test]
async fn the_share_is_free_again_once_its_goods_are_sold_released_or_expired() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(8).await;
    let taken = async |stock| {
        let held = catalog.held_unverified(lamp).await;
        assert_eq!((catalog.stock(lamp).await, held), (stock, 0));
    };
    // Every event comes twice, and both come in either order.
    let sold = hold(&catalog, &[(lamp, 2)]).await;
    let (authorized, cancelled) = (catalog.authorized(sold), catalog.cancelled(sold));
    catalog
        .settle(&[authorized.clone(), authorized.clone()])
        .await;
    taken(6).await;
    catalog
        .settle(&[cancelled.clone(), cancelled.clone()])
        .await;
    taken(8).await;
    let released = hold(&catalog, &[(lamp, 2)]).await;
    let cancelled = catalog.cancelled(released);
    let authorized = catalog.authorized(released);
    catalog
        .settle(&[cancelled.clone(), authorized, cancelled])
        .await;
    taken(8).await;
    let expired = hold(&catalog, &[(lamp, 2)]).await;
    catalog.advance(HOLD_PERIOD);
    assert_eq!((catalog.expire().await, catalog.expire().await), (1, 0));
    catalog.settle(&[catalog.authorized(expired)]).await;
    taken(8).await;
    // An authorisation that comes too late, before the goods are restocked.
    let late = hold(&catalog, &[(lamp, 2)]).await;
    catalog.advance(HOLD_PERIOD);
    catalog.settle(&[catalog.authorized(late)]).await;
    assert_eq!(catalog.expire().await, 0);
    taken(8).await;
}

#[tokio::test]
async fn a_repeated_call_of_an_order_that_holds_the_share_gets_its_first_reply() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(8).await;
    let order_id = new_id();
    let first = catalog.reserve_unverified(order_id, &[(lamp, 2)]).await;
    assert!(is_held(&first));
    let again = catalog.reserve_unverified(order_id, &[(lamp, 2)]).await;
    assert_eq!(again, first);
    // The buyer has verified the address in between.
    assert_eq!(catalog.reserve(order_id, &[(lamp, 2)]).await, first);
    assert_eq!(catalog.held_unverified(lamp).await, 2);
    catalog.settle(&[catalog.cancelled(order_id)]).await;
    assert_eq!(catalog.held_unverified(lamp).await, 0);
}

#[tokio::test]
async fn without_a_limit_nothing_is_counted() {
    let catalog = TestCatalog::with(&[("UNVERIFIED_SHELF_PERCENT", "100")]).await;
    let lamp = catalog.product(8).await;
    let order_id = hold(&catalog, &[(lamp, 8)]).await;
    assert!(!catalog.reservation(order_id).await.unverified);
    assert_eq!(catalog.held_unverified(lamp).await, 0);
}

#[test]
fn a_call_of_an_older_caller_is_not_limited() {
    let call = json!({
        "orderId": new_id::<OrderId>(), "lines": [], "correlationId": "chain",
    });
    let call: ReserveStock = serde_json::from_value(call).unwrap();
    assert!(!call.unverified);
}
