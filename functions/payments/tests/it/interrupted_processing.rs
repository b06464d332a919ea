//! Processing that is interrupted by lost calls, or races with itself.

use std::sync::Arc;

use contracts::events::OrderCommitted;
use dynamo::CommitError;
use futures_util::future::join_all;
use payments::{
    domain::{Intent, Status},
    processor::ProcessPaymentError,
};

use crate::{
    fixture::TestPayments,
    process_payments::{AUTHORIZED, CAPTURED, VOIDED},
    recording_provider::{Call, Gate, RecordingProvider},
};

#[tokio::test]
async fn an_authorisation_that_completes_after_the_order_ended_is_voided() {
    let gate: Arc<Gate> = Arc::default();
    let provider = RecordingProvider::gated(gate.clone());
    let payments = TestPayments::with_provider(provider).await;
    let order = payments.order("pm_card_visa");
    let (processor, placed) = (payments.processor.clone(), order.placed.clone());
    let slow = tokio::spawn(async move { processor.process(&placed).await });
    gate.reached.notified().await;
    // The provider has authorised; before its response arrives, the order ends, which
    // asks the provider again.
    payments.process(&[&order.cancelled]).await;
    gate.open.notify_one();
    slow.await.unwrap().unwrap();
    let account = payments.provider.account(order.payment_id);
    assert_eq!(account.authorized, Some(order.total));
    assert!(account.voided);
    assert_eq!(payments.status(order.payment_id).await, Status::Voided);
    assert_eq!(
        payments.event_types(order.payment_id).await,
        [AUTHORIZED, VOIDED]
    );
}

#[tokio::test]
async fn an_authorisation_whose_response_was_lost_is_voided_once_the_order_ended() {
    let payments = TestPayments::new().await;
    let order = payments.order("pm_card_visa");
    payments.provider.plan([Call::ResponseLost]);
    assert!(payments.processor.process(&order.placed).await.is_err());
    payments.process(&[&order.cancelled]).await;
    let account = payments.provider.account(order.payment_id);
    assert!(account.authorized.is_some() && account.voided);
    payments.process(&[&order.placed]).await;
    assert_eq!(payments.status(order.payment_id).await, Status::Voided);
}

/// The request is under way when its sender dies, and lands after the order has ended.
/// Its key has been used by then.
#[tokio::test]
async fn an_authorisation_that_lands_after_the_order_ended_is_none() {
    let payments = TestPayments::new().await;
    let order = payments.order("pm_card_visa");
    payments.provider.plan([Call::RequestLost]);
    assert!(payments.processor.process(&order.placed).await.is_err());
    payments.process(&[&order.cancelled]).await;
    let keys = payments.provider.keys(order.payment_id);
    let (authorize, void) = (
        format!("{}:authorize", order.payment_id),
        format!("{}:void", order.payment_id),
    );
    assert_eq!(keys, [authorize, void]);
    assert!(payments.provider.account(order.payment_id).voided);
}

#[tokio::test]
async fn a_failed_capture_releases_the_authorisation_however_often_it_is_interrupted() {
    use Call::{RequestLost, ResponseLost, Succeeds};
    for calls in [
        vec![],
        vec![RequestLost],
        vec![ResponseLost],
        vec![Succeeds, RequestLost],
        vec![Succeeds, ResponseLost],
    ] {
        let payments = TestPayments::new().await;
        let order = payments.order("pm_card_chargeCustomerFail");
        payments.process(&[&order.placed]).await;
        payments.provider.plan(calls.clone());
        for _ in 0..calls.len() {
            // The interrupted attempt, and maybe one that already succeeds.
            let _ = payments.processor.process(&order.committed).await;
        }
        payments.process(&[&order.committed]).await;
        assert_eq!(
            payments.status(order.payment_id).await,
            Status::CaptureFailed
        );
        let account = payments.provider.account(order.payment_id);
        assert!(account.voided, "{calls:?}");
        assert_eq!(account.violations, [""; 0], "{calls:?}");
    }
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
    for _ in 0..2 {
        payments.process(&[&capturing.cancelled]).await;
    }
    assert_eq!(
        payments.contradictions().await,
        ["order.cancelled: the order ended after its payment was captured"]
    );

    payments.provider.plan([Call::RequestLost]);
    assert!(
        payments
            .processor
            .process(&voiding.cancelled)
            .await
            .is_err()
    );
    for _ in 0..2 {
        payments.process(&[&voiding.committed]).await;
    }
    let listed = payments.contradictions().await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    let expected = "order.committed: the order was committed after it ended".to_owned();
    assert!(listed.contains(&expected), "{listed:?}");
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
    assert!(rejected(store.insert(&payment).await));
    let authorized = payments.table.events().await.remove(0);
    let again = store.answer(&payment, &authorized, Some(&order.placed));
    assert!(rejected(again.await));

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
