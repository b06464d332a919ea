//! Order events that arrive twice, late, concurrently, or while the provider
//! does not respond.

use std::sync::Arc;

use contracts::{Envelope, events::OrderCommitted};
use dynamo::CommitError;
use futures_util::future::join_all;
use kernel::{Currency, EventId, Money};
use payments::{
    domain::{Intent, Status},
    processor::ProcessPaymentError,
};
use serde_json::json;
use testkit::deliver;

use crate::{
    fixture::TestPayments,
    recording_provider::{Call, Gate, RecordingProvider},
};

const AUTHORIZED: &str = "payment.authorized";
const DECLINED: &str = "payment.declined";
const CAPTURED: &str = "payment.captured";
const CAPTURE_FAILED: &str = "payment.capture_failed";
const VOIDED: &str = "payment.voided";

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
async fn an_authorisation_that_completes_after_the_order_ended_is_voided() {
    let gate: Arc<Gate> = Arc::default();
    let provider = RecordingProvider::gated(gate.clone());
    let payments = TestPayments::with_provider(provider).await;
    let order = payments.order("pm_card_visa");
    let (processor, placed) = (payments.processor.clone(), order.placed.clone());
    let slow = tokio::spawn(async move { processor.process(&placed).await });
    gate.reached.notified().await;
    // The provider has authorised; before its response arrives, the order ends.
    payments.process(&[&order.cancelled]).await;
    gate.open.notify_one();
    slow.await.unwrap().unwrap();
    let account = payments.provider.account(order.payment_id);
    assert_eq!(account.authorized, Some(order.total));
    assert!(account.voided);
    assert_eq!(payments.status(order.payment_id).await, Status::Voided);
    assert!(
        payments.event_types(order.payment_id).await.is_empty(),
        "the authorisation was never published"
    );
}

#[tokio::test]
async fn an_authorisation_whose_response_was_lost_is_voided_once_the_order_ended() {
    let payments = TestPayments::new().await;
    let order = payments.order("pm_card_visa");
    payments.provider.plan([Call::ResponseLost]);
    assert!(payments.processor.process(&order.placed).await.is_err());
    payments.process(&[&order.cancelled]).await;
    payments.process(&[&order.placed]).await;
    let account = payments.provider.account(order.payment_id);
    assert!(account.authorized.is_some() && account.voided);
}

#[tokio::test]
async fn an_operation_whose_call_failed_is_completed_on_redelivery() {
    for failure in [Call::RequestLost, Call::ResponseLost] {
        let payments = TestPayments::new().await;
        let (paid, ended) = (
            payments.order("pm_card_visa"),
            payments.order("pm_card_visa"),
        );
        for event in [
            &paid.placed,
            &paid.committed,
            &ended.placed,
            &ended.cancelled,
        ] {
            payments.provider.plan([failure, failure]);
            for _ in 0..2 {
                let error = payments.processor.process(event).await.unwrap_err();
                assert!(matches!(error, ProcessPaymentError::Provider(_)), "{error}");
            }
            payments.process(&[event]).await;
        }
        assert_eq!(
            payments.provider.account(paid.payment_id).captured,
            [paid.total]
        );
        assert_eq!(
            payments.event_types(paid.payment_id).await,
            [AUTHORIZED, CAPTURED]
        );
        assert!(payments.provider.account(ended.payment_id).voided);
        assert_eq!(
            payments.event_types(ended.payment_id).await,
            [AUTHORIZED, VOIDED]
        );
    }
}

#[tokio::test]
async fn an_operation_that_has_begun_is_never_reversed() {
    let payments = TestPayments::new().await;
    let (capturing, voiding) = (
        payments.order("pm_card_visa"),
        payments.order("pm_card_visa"),
    );
    payments
        .process(&[&capturing.placed, &voiding.placed])
        .await;

    payments.provider.plan([Call::ResponseLost]);
    assert!(
        payments
            .processor
            .process(&capturing.committed)
            .await
            .is_err()
    );
    let error = payments
        .processor
        .process(&capturing.cancelled)
        .await
        .unwrap_err();
    assert!(matches!(error, ProcessPaymentError::TooEarly(_)), "{error}");
    payments.process(&[&capturing.committed]).await;
    let error = payments
        .processor
        .process(&capturing.cancelled)
        .await
        .unwrap_err();
    assert!(
        matches!(error, ProcessPaymentError::Contradiction(_)),
        "{error}"
    );

    payments.provider.plan([Call::RequestLost]);
    assert!(
        payments
            .processor
            .process(&voiding.cancelled)
            .await
            .is_err()
    );
    let error = payments
        .processor
        .process(&voiding.committed)
        .await
        .unwrap_err();
    assert!(
        matches!(error, ProcessPaymentError::Contradiction(_)),
        "{error}"
    );
    payments.process(&[&voiding.cancelled]).await;

    assert_eq!(
        payments.provider.account(capturing.payment_id).violations,
        [""; 0]
    );
    assert_eq!(
        payments.provider.account(voiding.payment_id).violations,
        [""; 0]
    );
    assert_eq!(payments.provider.account(voiding.payment_id).captured, []);
}

#[tokio::test]
async fn a_repeated_write_is_rejected_or_has_no_effect() {
    let payments = TestPayments::new().await;
    let order = payments.order("pm_card_visa");
    payments.process(&[&order.placed]).await;
    let (store, payment) = (
        payments.store().await,
        payments.payment(order.payment_id).await,
    );
    let rejected = |outcome| matches!(outcome, Err(CommitError::ConditionFailed(_)));
    assert!(rejected(store.insert(&payment, None, &order.placed).await));

    store
        .begin(order.payment_id, Intent::Capture)
        .await
        .unwrap();
    store
        .begin(order.payment_id, Intent::Capture)
        .await
        .unwrap();
    assert!(rejected(store.begin(order.payment_id, Intent::Void).await));

    let captured = payment.settled(Status::Captured, None, payment.updated_at);
    let event = payments.table.event(&OrderCommitted {
        order_id: order.order_id,
        payment_id: order.payment_id,
        total: order.total,
    });
    let (intent, trigger) = (Intent::Capture, &order.committed);
    store
        .finish(&captured, intent, &event, trigger)
        .await
        .unwrap();
    assert!(rejected(
        store.finish(&captured, intent, &event, trigger).await
    ));
    assert!(rejected(
        store.begin(order.payment_id, Intent::Capture).await
    ));
    payments.process(&[&order.committed]).await;
    assert_eq!(
        payments.provider.account(order.payment_id).captured,
        [],
        "the store already says captured"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_processed_concurrently_is_one_capture() {
    let payments = TestPayments::new().await;
    for _ in 0..5 {
        let order = payments.order("pm_card_visa");
        for event in [&order.placed, &order.committed] {
            let concurrent = (0..8).map(|_| {
                let (processor, event) = (payments.processor.clone(), event.clone());
                tokio::spawn(async move { processor.process(&event).await })
            });
            for outcome in join_all(concurrent).await {
                outcome.unwrap().unwrap();
            }
        }
        assert_eq!(
            payments.provider.account(order.payment_id).captured,
            [order.total]
        );
        assert_eq!(
            payments.event_types(order.payment_id).await,
            [AUTHORIZED, CAPTURED]
        );
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
    assert_eq!(
        deliver(&consumer, &batch).await,
        [0, 1],
        "another amount; nothing authorised"
    );
    assert_eq!(payments.status(valid.payment_id).await, Status::Authorized);
    assert_eq!(payments.status(declined.payment_id).await, Status::Declined);
}
