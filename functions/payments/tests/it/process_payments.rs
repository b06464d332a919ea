//! Order events that arrive in order, repeatedly, too early, or with invalid data.

use contracts::{Envelope, events::OrderCommitted};
use kernel::{Currency, EventId, Money, SignedDuration};
use payments::domain::Status;
use serde_json::json;
use testkit::deliver;

use crate::{fixture::TestPayments, recording_provider::Call};

pub(crate) const AUTHORIZED: &str = "payment.authorized";
pub(crate) const CAPTURED: &str = "payment.captured";
pub(crate) const VOIDED: &str = "payment.voided";
const DECLINED: &str = "payment.declined";
const CAPTURE_FAILED: &str = "payment.capture_failed";

#[tokio::test]
async fn a_payment_is_authorised_then_captured_once() {
    let payments = TestPayments::new().await;
    let order = payments.order("pm_card_visa");
    payments.process(&[&order.placed]).await;
    let payment = payments.payment(order.payment_id).await;
    assert_eq!(payment.status, Status::Authorized);
    assert_eq!(
        (payment.amount, payment.user_id, payment.order_id),
        (order.total, order.user_id, order.order_id)
    );
    assert_eq!(
        payments.provider.account(order.payment_id).captured,
        [],
        "an authorisation takes no money"
    );

    payments.process(&[&order.committed]).await;
    assert_eq!(payments.status(order.payment_id).await, Status::Captured);
    assert_eq!(
        payments.provider.account(order.payment_id).captured,
        [order.total]
    );
    assert_eq!(
        payments.event_types(order.payment_id).await,
        [AUTHORIZED, CAPTURED]
    );
    let events = payments.table.events().await;
    assert_eq!(events[0].causationid, order.placed.id.to_string());
    assert_eq!(events[1].causationid, order.committed.id.to_string());
    assert!(
        events
            .iter()
            .all(|event| event.correlationid == "test-correlation")
    );
    assert!(
        events
            .iter()
            .all(|event| event.actor == "function:process-payments")
    );
    assert_eq!(
        events[1].data["amount"],
        json!({"amountMinor": 3998, "currency": "USD"})
    );
}

#[tokio::test]
async fn an_event_that_arrives_repeatedly_takes_effect_once() {
    for (token, events, status, published) in [
        (
            "pm_card_visa",
            vec!["placed", "committed"],
            Status::Captured,
            vec![AUTHORIZED, CAPTURED],
        ),
        (
            "pm_card_visa",
            vec!["placed", "cancelled"],
            Status::Voided,
            vec![AUTHORIZED, VOIDED],
        ),
        (
            "pm_card_visa",
            vec!["placed", "payment_failed"],
            Status::Voided,
            vec![AUTHORIZED, VOIDED],
        ),
        (
            "pm_card_visa",
            vec!["cancelled", "placed"],
            Status::Voided,
            vec![],
        ),
        (
            "pm_card_chargeDeclined",
            vec!["placed", "payment_failed"],
            Status::Declined,
            vec![DECLINED],
        ),
        (
            "pm_card_chargeCustomerFail",
            vec!["placed", "committed", "payment_failed"],
            Status::CaptureFailed,
            vec![AUTHORIZED, CAPTURE_FAILED],
        ),
    ] {
        let payments = TestPayments::new().await;
        let order = payments.order(token);
        let event_named = |name: &&str| match *name {
            "placed" => &order.placed,
            "committed" => &order.committed,
            "cancelled" => &order.cancelled,
            _ => &order.payment_failed,
        };
        for event in events.iter().map(event_named) {
            let under_a_new_id = Envelope {
                id: testkit::new_id::<EventId>(),
                ..event.clone()
            };
            payments.process(&[event, event, &under_a_new_id]).await;
        }
        assert_eq!(
            payments.status(order.payment_id).await,
            status,
            "{events:?}"
        );
        assert_eq!(
            payments.event_types(order.payment_id).await,
            published,
            "{events:?}"
        );
        let account = payments.provider.account(order.payment_id);
        assert!(
            account.violations.is_empty(),
            "{events:?}: {:?}",
            account.violations
        );
        let captured = if status == Status::Captured {
            vec![order.total]
        } else {
            vec![]
        };
        assert_eq!(account.captured, captured, "{events:?}");
    }
}

#[tokio::test]
async fn a_declined_payment_keeps_and_publishes_the_providers_reason() {
    let payments = TestPayments::new().await;
    for (token, reason) in [
        ("pm_card_chargeDeclined", "card_declined"),
        (
            "pm_card_chargeDeclinedInsufficientFunds",
            "insufficient_funds",
        ),
        ("pm_whatever", "invalid_payment_method"),
    ] {
        let order = payments.order(token);
        payments.process(&[&order.placed]).await;
        let payment = payments.payment(order.payment_id).await;
        assert_eq!(payment.failure_reason.as_deref(), Some(reason));
        let events = payments.table.events().await;
        assert_eq!(events.last().unwrap().data["reason"], reason);
    }
}

#[tokio::test]
async fn an_order_whose_end_arrives_before_its_placement_is_never_authorised() {
    let payments = TestPayments::new().await;
    let order = payments.order("pm_card_visa");
    payments.process(&[&order.cancelled, &order.placed]).await;
    assert_eq!(payments.status(order.payment_id).await, Status::Voided);
    assert_eq!(payments.provider.account(order.payment_id).authorized, None);
    assert!(payments.event_types(order.payment_id).await.is_empty());
}

#[tokio::test]
async fn nothing_is_authorised_for_goods_that_cannot_be_sold_in_time() {
    // The goods are held until 12:15.
    for (seconds, expected) in [
        (14 * 60 + 29, Status::Authorized),
        (14 * 60 + 30, Status::Voided),
    ] {
        let payments = TestPayments::new().await;
        let order = payments.order("pm_card_visa");
        let clock = payments.table.clock();
        clock.advance(SignedDuration::from_secs(seconds));
        for _ in 0..2 {
            payments.process(&[&order.placed]).await;
        }
        assert_eq!(
            payments.status(order.payment_id).await,
            expected,
            "{seconds}"
        );
        let account = payments.provider.account(order.payment_id);
        assert_eq!(account.authorized.is_some(), expected == Status::Authorized);
        // The order ends with its reservation.
        payments.process(&[&order.cancelled]).await;
        assert_eq!(payments.status(order.payment_id).await, Status::Voided);
    }
}

/// The provider was dead while the goods were held.
#[tokio::test]
async fn an_authorisation_is_not_asked_for_again_once_the_goods_are_held_no_longer() {
    for lost in [Call::RequestLost, Call::ResponseLost] {
        let payments = TestPayments::new().await;
        let order = payments.order("pm_card_visa");
        payments.provider.plan([lost]);
        assert!(payments.processor.process(&order.placed).await.is_err());
        payments
            .table
            .clock()
            .advance(SignedDuration::from_mins(15));
        let calls = payments.provider.keys(order.payment_id).len();
        payments.process(&[&order.placed]).await;
        assert_eq!(payments.provider.keys(order.payment_id).len(), calls);
        assert_eq!(payments.status(order.payment_id).await, Status::Pending);
        // What the lost request may have left is voided.
        payments.process(&[&order.cancelled]).await;
        assert_eq!(payments.status(order.payment_id).await, Status::Voided);
        assert!(payments.provider.account(order.payment_id).voided);
    }
}

#[tokio::test]
async fn an_event_that_fails_does_not_affect_the_rest_of_its_batch() {
    let payments = TestPayments::new().await;
    let (valid, declined) = (
        payments.order("pm_card_visa"),
        payments.order("pm_card_chargeDeclined"),
    );
    let consumer = payments.function("process-payments").await;
    let mut unreadable = valid.placed.clone();
    unreadable.data = json!({"orderId": 7});
    let mut unknown = valid.placed.clone();
    unknown.event_type = "order.unknown".into();
    // A capture before its payment is deferred; the others are processed.
    let batch = [
        valid.committed.clone(),
        unreadable,
        unknown,
        declined.placed.clone(),
    ];
    assert_eq!(deliver(&consumer, &batch).await, [0, 1]);
    assert_eq!(
        deliver(&consumer, std::slice::from_ref(&valid.placed)).await,
        [0_usize; 0]
    );

    let other_amount = payments.table.event(&OrderCommitted {
        order_id: valid.order_id,
        payment_id: valid.payment_id,
        total: Money::new(3_999, Currency::USD).unwrap(),
    });
    let batch = [other_amount, declined.committed.clone()];
    assert_eq!(deliver(&consumer, &batch).await, [0_usize; 0]);
    // Another amount; nothing authorised.
    assert_eq!(payments.contradictions().await.len(), 2);
    assert_eq!(payments.status(valid.payment_id).await, Status::Authorized);
    assert_eq!(payments.status(declined.payment_id).await, Status::Declined);
}
