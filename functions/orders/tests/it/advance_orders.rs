//! `advance-orders`: what payments and catalog say, twice, late, at once and
//! in any order.

use contracts::{
    Envelope,
    events::{
        CategoryCreated, PaymentAuthorized, PaymentCaptureFailed, PaymentCaptured, PaymentDeclined,
        RejectionReason, ReservationExpired, StockCommitRejected, StockCommitted,
    },
};
use dynamo::CommitError;
use futures_util::future::join_all;
use kernel::{CategoryId, OrderId, UserId};
use orders::{
    App,
    domain::{Decision, Input, Order, Status, decide},
    events::advance_orders::advance_order,
};
use serde_json::json;
use testkit::deliver;

use crate::shop::Shop;

const PAID: [&str; 4] = [
    "order.placed",
    "order.authorized",
    "order.committed",
    "order.confirmed",
];

/// What the other services say about one order.
pub(crate) struct Said {
    pub(crate) authorized: Envelope,
    pub(crate) declined: Envelope,
    pub(crate) committed: Envelope,
    pub(crate) rejected: Envelope,
    pub(crate) captured: Envelope,
    pub(crate) capture_failed: Envelope,
    pub(crate) expired: Envelope,
}

fn said(shop: &Shop, order: &Order) -> Said {
    let (order_id, payment_id, amount) = (order.order_id, order.payment_id, order.total);
    let reason = || "card_declined".to_owned();
    let expired = RejectionReason::ReservationExpired;
    Said {
        authorized: shop.says(&PaymentAuthorized {
            payment_id,
            order_id,
            amount,
        }),
        declined: shop.says(&PaymentDeclined {
            payment_id,
            order_id,
            reason: reason(),
        }),
        committed: shop.says(&StockCommitted { order_id }),
        rejected: shop.says(&StockCommitRejected {
            order_id,
            reason: expired,
        }),
        captured: shop.says(&PaymentCaptured {
            payment_id,
            order_id,
            amount,
        }),
        capture_failed: shop.says(&PaymentCaptureFailed {
            payment_id,
            order_id,
            reason: reason(),
        }),
        expired: shop.says(&ReservationExpired { order_id }),
    }
}

pub(crate) async fn opened() -> (Shop, Order, Said) {
    let shop = Shop::open().await;
    let order = shop.order(testkit::new_id::<UserId>()).await.order;
    let said = said(&shop, &order);
    (shop, order, said)
}

/// Delivers events one by one; each must be taken.
async fn tell(shop: &Shop, events: &[&Envelope]) {
    let consumer = shop.advance_orders().await;
    for event in events {
        let failed = deliver(&consumer, &[(*event).clone()]).await;
        assert!(failed.is_empty(), "{}", event.event_type);
    }
}

#[tokio::test]
async fn a_good_payment_leads_to_a_confirmed_order() {
    let (shop, order, said) = opened().await;
    for (event, status) in [
        (&said.authorized, Status::Authorized),
        (&said.committed, Status::Authorized),
        (&said.captured, Status::Confirmed),
    ] {
        tell(&shop, &[event]).await;
        assert_eq!(shop.find(order.order_id).await.order.status, status);
        shop.assert_snapshot_is_the_fold(order.order_id).await;
    }
    let history = shop.history(order.order_id).await;
    assert_eq!(shop.history_types(order.order_id).await, PAID);
    for (event, cause) in
        history[1..]
            .iter()
            .zip([&said.authorized, &said.committed, &said.captured])
    {
        assert_eq!(event.causationid, cause.id.to_string());
        assert_eq!(event.correlationid, "chain");
        assert_eq!(event.actor, "function:advance-orders");
    }
    assert_eq!(shop.table.event_types().await, PAID, "each is announced");
    assert_eq!(
        shop.find(order.order_id).await.shipping_address.city,
        "London"
    );
}

#[tokio::test]
async fn each_bad_end_has_its_reason_and_only_one_event() {
    for (events, end, status, reason) in [
        (
            vec!["declined"],
            "order.payment_failed",
            Status::PaymentFailed,
            "card_declined",
        ),
        (
            vec!["expired"],
            "order.cancelled",
            Status::Cancelled,
            "reservation_expired",
        ),
        (
            vec!["authorized", "rejected"],
            "order.cancelled",
            Status::Cancelled,
            "reservation_expired",
        ),
        (
            vec!["authorized", "expired", "rejected"],
            "order.cancelled",
            Status::Cancelled,
            "reservation_expired",
        ),
        (
            vec!["authorized", "committed", "capture_failed"],
            "order.payment_failed",
            Status::PaymentFailed,
            "card_declined",
        ),
    ] {
        let (shop, order, said) = opened().await;
        let named = |name: &&str| match *name {
            "declined" => &said.declined,
            "expired" => &said.expired,
            "authorized" => &said.authorized,
            "rejected" => &said.rejected,
            "committed" => &said.committed,
            _ => &said.capture_failed,
        };
        tell(&shop, &events.iter().map(named).collect::<Vec<_>>()).await;
        let after = shop.find(order.order_id).await.order;
        assert_eq!(after.status, status, "{events:?}");
        assert_eq!(after.status_reason.as_deref(), Some(reason), "{events:?}");
        assert_eq!(
            shop.history_types(order.order_id).await.last().unwrap(),
            end
        );
        shop.assert_snapshot_is_the_fold(order.order_id).await;

        // What comes after the end moves nothing.
        tell(
            &shop,
            &[
                &said.authorized,
                &said.declined,
                &said.expired,
                &said.committed,
            ],
        )
        .await;
        assert_eq!(shop.find(order.order_id).await.order, after);
        shop.assert_snapshot_is_the_fold(order.order_id).await;
    }
}

#[tokio::test]
async fn each_event_counts_once_however_often_it_comes() {
    let (shop, order, first) = opened().await;
    // The same events again, and the same facts under new ids.
    let again = said(&shop, &order);
    for (event, same) in [
        (&first.authorized, &again.authorized),
        (&first.committed, &again.committed),
        (&first.captured, &again.captured),
    ] {
        tell(&shop, &[event, event, same, event]).await;
    }
    tell(
        &shop,
        &[&first.authorized, &first.committed, &again.captured],
    )
    .await;
    assert_eq!(shop.history_types(order.order_id).await, PAID);
    shop.assert_snapshot_is_the_fold(order.order_id).await;
}

#[tokio::test]
async fn what_comes_before_its_cause_comes_again_until_it_fits() {
    let (shop, order, said) = opened().await;
    let consumer = shop.advance_orders().await;
    let mut waiting = vec![
        said.captured.clone(),
        said.committed.clone(),
        said.authorized.clone(),
    ];
    let mut rounds = Vec::new();
    while !waiting.is_empty() && rounds.len() < 5 {
        let mut failed = Vec::new();
        for event in &waiting {
            failed.extend(
                deliver(&consumer, std::slice::from_ref(event))
                    .await
                    .first()
                    .map(|_| event.clone()),
            );
        }
        rounds.push(failed.len());
        waiting = failed;
    }
    assert_eq!(rounds, [2, 1, 0]);
    assert_eq!(shop.history_types(order.order_id).await, PAID);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_at_once_move_an_order_once_each() {
    for _ in 0..5 {
        let (shop, order, said) = opened().await;
        // Four functions, each with the same batch.
        let consumers = join_all((0..4).map(|_| shop.advance_orders())).await;
        let batch = [said.captured, said.committed, said.authorized];
        for _ in 0..4 {
            join_all(consumers.iter().map(|consumer| deliver(consumer, &batch))).await;
        }
        assert_eq!(shop.history_types(order.order_id).await, PAID);
        shop.assert_snapshot_is_the_fold(order.order_id).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_and_an_expiry_at_once_end_in_a_cancellation() {
    for _ in 0..8 {
        let (shop, order, said) = opened().await;
        let consumer = shop.advance_orders().await;
        let failed = deliver(&consumer, &[said.authorized, said.expired]).await;
        assert!(failed.is_empty(), "neither is stuck");
        let types = shop.history_types(order.order_id).await;
        // Whichever is first, the goods are gone, and the payment is told so.
        let first = ["order.placed", "order.cancelled"];
        let last = ["order.placed", "order.authorized", "order.cancelled"];
        assert!(types == first || types == last, "{types:?}");
        shop.assert_snapshot_is_the_fold(order.order_id).await;
    }
}

#[tokio::test]
async fn a_step_whose_answer_is_lost_is_one_step() {
    let (shop, order, said) = opened().await;
    let stored = shop.find(order.order_id).await;
    let input = Input::read(&said.authorized).unwrap().unwrap();
    let Decision::Step(step) = decide(&stored.order, &input) else {
        panic!()
    };
    let event = step.envelope(shop.clock.now(), &said.authorized.cause("test"));
    let next = stored.order.after(&step, event.time);
    let store = shop.store();
    store
        .append(&stored, &event, &next, &said.authorized)
        .await
        .unwrap();
    let again = store.append(&stored, &event, &next, &said.authorized).await;
    assert!(matches!(again, Err(CommitError::ConditionFailed(_))));
    // Nor does it count once more from the state that it led to.
    let seen = shop.find(order.order_id).await;
    let next = seen.order.after(&step, event.time);
    let third = store.append(&seen, &event, &next, &said.authorized).await;
    assert!(matches!(third, Err(CommitError::ConditionFailed(refused)) if refused.names("order")));
    tell(&shop, &[&said.authorized]).await;
    assert_eq!(
        shop.history_types(order.order_id).await,
        ["order.placed", "order.authorized"]
    );
}

#[tokio::test]
async fn an_expiry_of_goods_that_were_never_ordered_is_nothing() {
    let shop = Shop::open().await;
    let order_id = testkit::new_id::<OrderId>();
    tell(&shop, &[&shop.says(&ReservationExpired { order_id })]).await;
    assert!(shop.table.items().await.is_empty());
    // Anything else about an order that is not there must not be lost.
    let consumer = shop.advance_orders().await;
    let failed = deliver(&consumer, &[shop.says(&StockCommitted { order_id })]).await;
    assert_eq!(failed, [0]);
}

#[tokio::test]
async fn what_cannot_be_true_goes_to_a_person_and_stops_nobody_else() {
    let (shop, order, said) = opened().await;
    let other = shop.order(testkit::new_id::<UserId>()).await.order;
    let (order_id, payment_id) = (order.order_id, order.payment_id);
    let cheap = kernel::Money::new(1, kernel::Currency::USD).unwrap();
    let wrong = shop.says(&PaymentAuthorized {
        payment_id,
        order_id,
        amount: cheap,
    });
    let mut unreadable = said.authorized.clone();
    unreadable.data = json!({"orderId": "what?"});
    let fine = shop.says(&PaymentAuthorized {
        payment_id: other.payment_id,
        order_id: other.order_id,
        amount: other.total,
    });
    let consumer = shop.advance_orders().await;
    assert_eq!(deliver(&consumer, &[wrong, fine, unreadable]).await, [0, 2]);
    assert_eq!(
        shop.find(order.order_id).await.order.status,
        Status::Pending
    );
    assert_eq!(
        shop.find(other.order_id).await.order.status,
        Status::Authorized
    );

    tell(&shop, &[&said.declined]).await;
    // Money for an order that is over.
    assert_eq!(deliver(&consumer, &[said.captured]).await, [0]);
}

#[tokio::test]
async fn what_says_nothing_to_orders_is_taken_and_forgotten() {
    let (shop, order, _) = opened().await;
    let category = CategoryCreated {
        category_id: testkit::new_id::<CategoryId>(),
        name: "lamps".into(),
        parent_id: None,
    };
    let mut unknown = shop.says(&category);
    unknown.event_type = "payment.of_tomorrow".into();
    tell(&shop, &[&shop.says(&category), &unknown]).await;
    assert_eq!(shop.history_types(order.order_id).await, ["order.placed"]);
}

/// Every order in which seven facts can come (sixty of them, to save time),
/// each fact twice: never more than one end, and the snapshot is the fold.
#[tokio::test]
async fn in_every_order_of_arrival_the_law_holds() {
    let shop = Shop::open().await;
    let app = std::sync::Arc::new(App::start(shop.table.environment()).await.unwrap());
    for round in 0..60_usize {
        let order = shop.order(testkit::new_id::<UserId>()).await.order;
        let said = said(&shop, &order);
        let mut events = vec![
            said.authorized,
            said.declined,
            said.committed,
            said.rejected,
            said.captured,
            said.capture_failed,
            said.expired,
        ];
        events.extend(events.clone());
        // A fixed shuffle of each round's own (Fisher–Yates on an LCG).
        let mut seed = round.wrapping_mul(2_654_435_761).wrapping_add(12_345);
        for i in (1..events.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            events.swap(i, (seed >> 33) % (i + 1));
        }
        for event in events {
            let _ = advance_order(app.clone(), event).await;
            shop.assert_snapshot_is_the_fold(order.order_id).await;
        }
        let types = shop.history_types(order.order_id).await;
        let end = |name: &String| {
            ["order.confirmed", "order.cancelled", "order.payment_failed"].contains(&name.as_str())
        };
        assert!(
            types.iter().filter(|name| end(name)).count() <= 1,
            "{types:?}"
        );
        assert!(types.len() <= 4, "{types:?}");
    }
}
