//! `order cancel`.

use operator::Command;

use crate::fixture::{Fixture, UNITS};

/// At each stage at which it is allowed: what is held is released, and what is
/// authorised is voided.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_goods_are_not_sold_is_cancelled_and_everything_is_undone() {
    let fixture = Fixture::start().await;
    let consumers = ["process-payments", "advance-orders", "settle-reservations"];
    for stage in 0..=consumers.len() {
        let id = fixture.place("pm_card_visa").await;
        for consumer in &consumers[..stage] {
            assert_eq!(fixture.deliver_to(consumer).await, 1, "{consumer}");
        }
        let text = fixture.run(Command::Cancel(id)).await.unwrap();
        assert!(text.contains("is cancelled"), "{text}");
        fixture.settle().await;
        fixture.compose().await;
        let report = fixture.json(Command::Show(id)).await;
        assert_eq!(report["order"]["status"], "cancelled", "{report}");
        assert_eq!(report["order"]["reason"], "cancelled_by_shop");
        assert_eq!(report["payment"]["status"], "voided", "{report}");
        assert_eq!(report["goods"]["status"], "released", "{report}");
        // From the second one on, an unverified address gets none.
        assert_ne!(report["messages"][0]["status"], "not composed");
        assert_eq!(report["waits"], serde_json::Value::Null);
        assert_eq!(report["contradictions"], serde_json::json!([]));
        let history = report["history"].as_array().unwrap();
        let cancelled = history.iter().find(|e| e["event"] == "order.cancelled");
        assert_eq!(cancelled.unwrap()["actor"], "function:operator");
        assert_eq!(fixture.stock().await, u64::from(UNITS));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_goods_are_sold_is_not_cancelled() {
    let fixture = Fixture::start().await;
    let id = fixture.place("pm_card_visa").await;
    for consumer in [
        "process-payments",
        "advance-orders",
        "settle-reservations",
        "advance-orders",
    ] {
        fixture.deliver_to(consumer).await;
    }
    let refused = fixture.run(Command::Cancel(id)).await.unwrap_err();
    assert!(refused.contains("its goods are sold"), "{refused}");
    fixture.settle().await;
    let refused = fixture.run(Command::Cancel(id)).await.unwrap_err();
    assert!(refused.contains("it is paid"), "{refused}");
    assert_eq!(fixture.status(id).await, "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_cancelled_once_however_many_ask() {
    let fixture = Fixture::start().await;
    let id = fixture.place("pm_card_visa").await;
    let (one, other) = tokio::join!(
        fixture.run(Command::Cancel(id)),
        fixture.run(Command::Cancel(id))
    );
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let refused = one.and(other).unwrap_err();
    assert!(refused.contains("it has already ended"), "{refused}");
    let history = fixture.json(Command::Show(id)).await["history"].clone();
    let events = history.as_array().unwrap().iter();
    let cancelled = events.filter(|event| event["event"] == "order.cancelled");
    assert_eq!(cancelled.count(), 1);
}
