//! `advance-orders`: events that are repeated, late, concurrent or out of order.

use contracts::{
    Envelope,
    events::{
        CategoryCreated, PaymentAuthorized, PaymentVoided, ReservationExpired, StockCommitted,
    },
};
use dynamo::{CONTRADICTIONS_PK, CommitError, Contradiction};
use futures_util::future::join_all;
use kernel::{Currency, Money, OrderId};
use orders::domain::{Decision, ExternalEvent, Status, decide};
use serde_json::json;
use testkit::{RecordedMetrics, deliver, new_id};

use crate::{
    external_events::{ExternalEvents, placed_order},
    fixture::TestOrders,
};

const CONFIRMED: [&str; 4] = [
    "order.placed",
    "order.authorized",
    "order.committed",
    "order.confirmed",
];

#[tokio::test]
async fn a_captured_payment_leads_to_a_confirmed_order() {
    let (orders, order, events) = placed_order().await;
    for (event, status) in [
        (&events.authorized, Status::Authorized),
        (&events.committed, Status::Authorized),
        (&events.captured, Status::Confirmed),
    ] {
        orders.advance(&[event]).await;
        assert_eq!(orders.find(order.order_id).await.order.status, status);
        orders.assert_snapshot_is_the_fold(order.order_id).await;
    }
    let history = orders.history(order.order_id).await;
    assert_eq!(orders.history_types(order.order_id).await, CONFIRMED);
    let causes = [&events.authorized, &events.committed, &events.captured];
    for (event, cause) in history[1..].iter().zip(causes) {
        assert_eq!(event.causationid, cause.id.to_string());
        assert_eq!(event.correlationid, "test-correlation");
        assert_eq!(event.actor, "function:advance-orders");
    }
    assert_eq!(
        orders.table.event_types().await,
        CONFIRMED,
        "all are in the outbox"
    );
    assert_eq!(
        orders.find(order.order_id).await.shipping_address.city,
        "London"
    );
}

#[tokio::test]
async fn each_failure_has_its_reason_and_one_final_event() {
    use Status::{Cancelled, PaymentFailed};
    for (names, last, status, reason) in [
        (
            vec!["declined"],
            "order.payment_failed",
            PaymentFailed,
            "card_declined",
        ),
        (
            vec!["expired"],
            "order.cancelled",
            Cancelled,
            "reservation_expired",
        ),
        (
            vec!["authorized", "rejected"],
            "order.cancelled",
            Cancelled,
            "reservation_expired",
        ),
        (
            vec!["authorized", "expired", "rejected"],
            "order.cancelled",
            Cancelled,
            "reservation_expired",
        ),
        (
            vec!["authorized", "committed", "capture_failed"],
            "order.payment_failed",
            PaymentFailed,
            "card_declined",
        ),
    ] {
        let (orders, order, events) = placed_order().await;
        let course: Vec<&Envelope> = names.iter().map(|name| events.by_name(name)).collect();
        orders.advance(&course).await;
        let failed = orders.find(order.order_id).await.order;
        assert_eq!(failed.status, status, "{names:?}");
        assert_eq!(failed.status_reason.as_deref(), Some(reason), "{names:?}");
        let types = orders.history_types(order.order_id).await;
        assert_eq!(types.last().unwrap(), last);
        orders.assert_snapshot_is_the_fold(order.order_id).await;

        let late = [
            &events.authorized,
            &events.declined,
            &events.expired,
            &events.committed,
        ];
        orders.advance(&late).await;
        assert_eq!(orders.find(order.order_id).await.order, failed);
        orders.assert_snapshot_is_the_fold(order.order_id).await;
    }
}

#[tokio::test]
async fn repeated_events_have_no_further_effect() {
    let (orders, order, first) = placed_order().await;
    // The same facts in other events.
    let second = ExternalEvents::new(&orders, &order);
    for (event, same) in [
        (&first.authorized, &second.authorized),
        (&first.committed, &second.committed),
        (&first.captured, &second.captured),
    ] {
        orders.advance(&[event, event, same, event]).await;
    }
    orders
        .advance(&[&first.authorized, &first.committed, &second.captured])
        .await;
    assert_eq!(orders.history_types(order.order_id).await, CONFIRMED);
    orders.assert_snapshot_is_the_fold(order.order_id).await;
}

#[tokio::test]
async fn an_event_before_its_cause_is_deferred_until_it_applies() {
    let (orders, order, events) = placed_order().await;
    let consumer = orders.function("advance-orders").await;
    let mut pending = vec![events.captured, events.committed, events.authorized];
    let mut deferred = Vec::new();
    while !pending.is_empty() && deferred.len() < 5 {
        let mut failed = Vec::new();
        for event in pending {
            if !deliver(&consumer, std::slice::from_ref(&event))
                .await
                .is_empty()
            {
                failed.push(event);
            }
        }
        deferred.push(failed.len());
        pending = failed;
    }
    assert_eq!(deferred, [2, 1, 0]);
    assert_eq!(orders.history_types(order.order_id).await, CONFIRMED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_batches_apply_each_event_once() {
    for _ in 0..5 {
        let (orders, order, events) = placed_order().await;
        let consumers = join_all((0..4).map(|_| orders.new_instance("advance-orders"))).await;
        let batch = [events.captured, events.committed, events.authorized];
        for _ in 0..4 {
            join_all(consumers.iter().map(|consumer| deliver(consumer, &batch))).await;
        }
        assert_eq!(orders.history_types(order.order_id).await, CONFIRMED);
        orders.assert_snapshot_is_the_fold(order.order_id).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_concurrent_authorisation_and_expiry_end_in_a_cancellation() {
    for _ in 0..8 {
        let (orders, order, events) = placed_order().await;
        let consumer = orders.function("advance-orders").await;
        let failed = deliver(&consumer, &[events.authorized, events.expired]).await;
        assert!(failed.is_empty(), "both are handled");
        let types = orders.history_types(order.order_id).await;
        // The goods are released either way, so the order is cancelled.
        let expiry_first = ["order.placed", "order.cancelled"];
        let expiry_last = ["order.placed", "order.authorized", "order.cancelled"];
        assert!(types == expiry_first || types == expiry_last, "{types:?}");
        orders.assert_snapshot_is_the_fold(order.order_id).await;
    }
}

#[tokio::test]
async fn a_transition_whose_reply_is_lost_happens_once() {
    let (orders, order, events) = placed_order().await;
    let stored = orders.find(order.order_id).await;
    let trigger = &events.authorized;
    let event = ExternalEvent::read(trigger).unwrap().unwrap();
    let Decision::Apply(transition) = decide(&stored.order, &event) else {
        panic!()
    };
    let host = orders.table.host();
    let event = transition.envelope(host.stamp(host.now(), &trigger.cause("test")));
    let next = stored.order.apply(&transition, event.time);
    let store = orders.store();
    store.append(&stored, &next, &event, trigger).await.unwrap();
    let again = store.append(&stored, &next, &event, trigger).await;
    assert!(matches!(again, Err(CommitError::ConditionFailed(_))));
    // Nor is it applied to the state that it led to.
    let stored = orders.find(order.order_id).await;
    let next = stored.order.apply(&transition, event.time);
    let again = store.append(&stored, &next, &event, trigger).await;
    assert!(matches!(again, Err(CommitError::ConditionFailed(failed)) if failed.includes("order")));
    orders.advance(&[trigger]).await;
    assert_eq!(
        orders.history_types(order.order_id).await,
        ["order.placed", "order.authorized"]
    );
}

#[tokio::test]
async fn only_the_expiry_of_a_reservation_may_lack_an_order() {
    let orders = TestOrders::new().await;
    let order_id: OrderId = new_id();
    let expired = orders.event(&ReservationExpired { order_id });
    orders.advance(&[&expired]).await;
    assert!(orders.has_no_orders_or_keys().await);

    let committed = orders.event(&StockCommitted { order_id });
    let consumer = orders.function("advance-orders").await;
    assert_eq!(deliver(&consumer, &[committed]).await, [0]);
}

#[tokio::test]
async fn a_contradiction_is_listed_once_and_changes_nothing() {
    let (orders, order, events) = placed_order().await;
    let other = orders.place(new_id()).await.order;
    let contradiction = orders.event(&PaymentAuthorized {
        payment_id: order.payment_id,
        order_id: order.order_id,
        amount: Money::new(1, Currency::USD).unwrap(),
    });
    let valid = orders.event(&PaymentAuthorized {
        payment_id: other.payment_id,
        order_id: other.order_id,
        amount: other.total,
    });
    let mut unreadable = events.authorized.clone();
    unreadable.data = json!({"orderId": "not an id"});
    let consumer = orders.function("advance-orders").await;
    let batch = [contradiction.clone(), valid, unreadable];
    let failed = deliver(&consumer, &batch).await;
    assert_eq!(failed, [2]);
    let status = async |id| orders.find(id).await.order.status;
    assert_eq!(status(order.order_id).await, Status::Pending);
    assert_eq!(status(other.order_id).await, Status::Authorized);

    // A captured payment for an order that has failed.
    orders.advance(&[&events.declined]).await;
    orders.advance(&[&events.captured]).await;
    // The queue delivers both again.
    orders.advance(&[&contradiction, &events.captured]).await;
    let listed = listed(&orders).await;
    let listed: Vec<_> = listed
        .iter()
        .map(|one| (one.order_id, one.event_type.as_str(), one.reason.as_str()))
        .collect();
    let expected = [
        (
            order.order_id,
            "payment.authorized",
            "the payment's amount is not the order's total",
        ),
        (
            order.order_id,
            "payment.captured",
            "a payment was captured for an order that has failed",
        ),
    ];
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(
        expected.iter().all(|one| listed.contains(one)),
        "{listed:?}"
    );
}

#[tokio::test]
async fn a_payment_voided_and_goods_lost_after_an_order_was_confirmed_are_contradictions() {
    let (orders, order, events) = placed_order().await;
    orders
        .advance(&[&events.authorized, &events.committed])
        .await;
    let metrics = RecordedMetrics::begin();
    // Goods that were sold are sold no longer.
    orders.advance(&[&events.rejected]).await;
    orders.advance(&[&events.captured]).await;
    let voided = orders.event(&PaymentVoided {
        payment_id: order.payment_id,
        order_id: order.order_id,
    });
    orders.advance(&[&voided]).await;
    let types: Vec<String> = listed(&orders)
        .await
        .into_iter()
        .map(|one| one.event_type)
        .collect();
    assert_eq!(types.len(), 2, "{types:?}");
    for one in ["stock.commit_rejected", "payment.voided"] {
        assert!(types.iter().any(|listed| listed == one), "{types:?}");
    }
    assert_eq!(metrics.take()["Contradictions[]"], 2.0);
    let status = orders.find(order.order_id).await.order.status;
    assert_eq!(status, Status::Confirmed);
}

async fn listed(orders: &TestOrders) -> Vec<Contradiction> {
    let items = orders.table.items().await.into_iter();
    let pk = |pk: &str| pk == CONTRADICTIONS_PK;
    let items = items.filter(|item| item["pk"].as_s().is_ok_and(|text| pk(text)));
    let read = items.map(|item| serde_dynamo::from_item(item).unwrap());
    read.collect()
}

#[tokio::test]
async fn events_of_other_types_are_ignored() {
    let (orders, order, _) = placed_order().await;
    let category = orders.event(&CategoryCreated {
        category_id: new_id(),
        name: "lamps".into(),
        parent_id: None,
    });
    let mut unknown = category.clone();
    unknown.event_type = "payment.of_tomorrow".into();
    orders.advance(&[&category, &unknown]).await;
    assert_eq!(orders.history_types(order.order_id).await, ["order.placed"]);
}

/// Sixty orders of arrival of seven events, each event twice.
#[tokio::test]
async fn an_order_has_one_final_event_in_any_order_of_arrival() {
    const FINAL: [&str; 3] = ["order.confirmed", "order.cancelled", "order.payment_failed"];
    let orders = TestOrders::new().await;
    let consumer = orders.function("advance-orders").await;
    for round in 0..60_usize {
        let order = orders.place(new_id()).await.order;
        let all = ExternalEvents::new(&orders, &order);
        let mut events = vec![
            all.authorized,
            all.declined,
            all.committed,
            all.rejected,
            all.captured,
            all.capture_failed,
            all.expired,
        ];
        events.extend(events.clone());
        // A repeatable shuffle (Fisher-Yates on an LCG).
        let mut seed = round.wrapping_mul(2_654_435_761).wrapping_add(12_345);
        for i in (1..events.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            events.swap(i, (seed >> 33) % (i + 1));
        }
        for event in events {
            // Some are deferred and some contradict the order: either may fail.
            let _ = deliver(&consumer, &[event]).await;
            orders.assert_snapshot_is_the_fold(order.order_id).await;
        }
        let types = orders.history_types(order.order_id).await;
        let final_events = types.iter().filter(|name| FINAL.contains(&name.as_str()));
        assert!(final_events.count() <= 1, "{types:?}");
        assert!(types.len() <= 4, "{types:?}");
    }
}
