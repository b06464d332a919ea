//! `process-payments`: what orders says, twice, late, at once, and with a
//! provider that does not answer.

use std::sync::Arc;

use contracts::{Envelope, events::OrderCommitted};
use dynamo::CommitError;
use futures_util::future::join_all;
use kernel::{Currency, Money};
use payments::{
    domain::{Intent, Status},
    events::process_payments::{self, ProcessPaymentError},
};
use serde_json::json;
use testkit::deliver;
use tokio::sync::Notify;

use crate::{
    ledger::{Call, Ledger},
    till::{Till, said, says},
};

const AUTHORIZED: &str = "payment.authorized";
const DECLINED: &str = "payment.declined";
const CAPTURED: &str = "payment.captured";
const CAPTURE_FAILED: &str = "payment.capture_failed";
const VOIDED: &str = "payment.voided";

#[tokio::test]
async fn money_is_promised_then_taken_once() {
    let till = Till::open().await;
    let said = said("pm_card_visa");
    till.tell(&[&said.placed]).await;
    let payment = till.payment(said.payment_id).await;
    assert_eq!(payment.status, Status::Authorized);
    assert_eq!(
        (payment.amount, payment.user_id, payment.order_id),
        (said.total, said.user_id, said.order_id)
    );
    assert_eq!(
        till.ledger.of(said.payment_id).taken,
        [],
        "a promise takes nothing"
    );

    till.tell(&[&said.committed]).await;
    assert_eq!(till.status(said.payment_id).await, Status::Captured);
    assert_eq!(till.ledger.of(said.payment_id).taken, [said.total]);
    assert_eq!(till.events(said.payment_id).await, [AUTHORIZED, CAPTURED]);
    let events = till.table.events().await;
    assert_eq!(events[0].causationid, said.placed.id.to_string());
    assert_eq!(events[1].causationid, said.committed.id.to_string());
    assert!(events.iter().all(|event| event.correlationid == "chain"));
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
async fn each_event_counts_once_however_often_it_comes() {
    for (token, events, status, left) in [
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
        let till = Till::open().await;
        let said = said(token);
        let named = |name: &&str| match *name {
            "placed" => &said.placed,
            "committed" => &said.committed,
            "cancelled" => &said.cancelled,
            _ => &said.payment_failed,
        };
        for event in events.iter().map(named) {
            // The same again, and the same fact under a new id.
            let mut again = event.clone();
            again.id = kernel::testkit::new_id::<EventId>();
            till.tell(&[event, event, &again]).await;
        }
        assert_eq!(till.status(said.payment_id).await, status, "{events:?}");
        assert_eq!(till.events(said.payment_id).await, left, "{events:?}");
        let account = till.ledger.of(said.payment_id);
        assert!(
            account.wrongs.is_empty(),
            "{events:?}: {:?}",
            account.wrongs
        );
        let taken = if status == Status::Captured {
            vec![said.total]
        } else {
            vec![]
        };
        assert_eq!(account.taken, taken, "{events:?}");
    }
}

#[tokio::test]
async fn reasons_are_the_providers() {
    let till = Till::open().await;
    for (token, reason) in [
        ("pm_card_chargeDeclined", "card_declined"),
        (
            "pm_card_chargeDeclinedInsufficientFunds",
            "insufficient_funds",
        ),
        ("pm_whatever", "invalid_payment_method"),
    ] {
        let said = said(token);
        till.tell(&[&said.placed]).await;
        let payment = till.payment(said.payment_id).await;
        assert_eq!(payment.failure_reason.as_deref(), Some(reason));
        let events = till.table.events().await;
        assert_eq!(events.last().unwrap().data["reason"], reason);
    }
}

#[tokio::test]
async fn an_order_that_ends_before_it_is_placed_is_never_authorised() {
    let till = Till::open().await;
    let said = said("pm_card_visa");
    till.tell(&[&said.cancelled, &said.placed]).await;
    assert_eq!(till.status(said.payment_id).await, Status::Voided);
    assert_eq!(till.ledger.of(said.payment_id).promised, None);
    assert!(till.events(said.payment_id).await.is_empty());
}

#[tokio::test]
async fn a_promise_that_comes_after_the_orders_end_is_given_back() {
    let gate: Arc<(Notify, Notify)> = Arc::default();
    let till = Till::open_with(Ledger::gated(gate.clone())).await;
    let said = said("pm_card_visa");
    let (processor, placed) = (till.processor.clone(), said.placed.clone());
    let slow = tokio::spawn(async move { processor.process(&placed).await });
    gate.0.notified().await;
    // The provider has promised; the answer is on its way; the order ends.
    till.tell(&[&said.cancelled]).await;
    gate.1.notify_one();
    slow.await.unwrap().unwrap();
    let account = till.ledger.of(said.payment_id);
    assert_eq!(account.promised, Some(said.total));
    assert!(account.voided, "what was promised is given back");
    assert_eq!(till.status(said.payment_id).await, Status::Voided);
    assert!(
        till.events(said.payment_id).await.is_empty(),
        "it was never announced"
    );
}

#[tokio::test]
async fn a_promise_whose_answer_was_lost_is_given_back_when_the_order_ended() {
    let till = Till::open().await;
    let said = said("pm_card_visa");
    till.ledger.plan([Call::AnswerLost]);
    assert!(till.processor.process(&said.placed).await.is_err());
    till.tell(&[&said.cancelled]).await;
    till.tell(&[&said.placed]).await;
    let account = till.ledger.of(said.payment_id);
    assert!(account.promised.is_some() && account.voided);
}

#[tokio::test]
async fn a_death_around_any_call_is_finished_later() {
    for died in [Call::Lost, Call::AnswerLost] {
        let till = Till::open().await;
        let (paid, ended) = (said("pm_card_visa"), said("pm_card_visa"));
        for event in [
            &paid.placed,
            &paid.committed,
            &ended.placed,
            &ended.cancelled,
        ] {
            till.ledger.plan([died, died]);
            for _ in 0..2 {
                let error = till.processor.process(event).await.unwrap_err();
                assert!(matches!(error, ProcessPaymentError::Provider(_)), "{error}");
            }
            till.tell(&[event]).await;
        }
        assert_eq!(till.ledger.of(paid.payment_id).taken, [paid.total]);
        assert_eq!(till.events(paid.payment_id).await, [AUTHORIZED, CAPTURED]);
        assert!(till.ledger.of(ended.payment_id).voided);
        assert_eq!(till.events(ended.payment_id).await, [AUTHORIZED, VOIDED]);
    }
}

#[tokio::test]
async fn what_was_begun_is_never_turned_around() {
    let till = Till::open().await;
    let (taking, giving) = (said("pm_card_visa"), said("pm_card_visa"));
    till.tell(&[&taking.placed, &giving.placed]).await;

    till.ledger.plan([Call::AnswerLost]);
    assert!(till.processor.process(&taking.committed).await.is_err());
    let error = till.processor.process(&taking.cancelled).await.unwrap_err();
    assert!(matches!(error, ProcessPaymentError::TooEarly(_)), "{error}");
    till.tell(&[&taking.committed]).await;
    let error = till.processor.process(&taking.cancelled).await.unwrap_err();
    assert!(
        matches!(error, ProcessPaymentError::Contradiction(_)),
        "{error}"
    );

    till.ledger.plan([Call::Lost]);
    assert!(till.processor.process(&giving.cancelled).await.is_err());
    let error = till.processor.process(&giving.committed).await.unwrap_err();
    assert!(
        matches!(error, ProcessPaymentError::Contradiction(_)),
        "{error}"
    );
    till.tell(&[&giving.cancelled]).await;

    assert_eq!(till.ledger.of(taking.payment_id).wrongs, [""; 0]);
    assert_eq!(till.ledger.of(giving.payment_id).wrongs, [""; 0]);
    assert_eq!(till.ledger.of(giving.payment_id).taken, []);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_one_write() {
    let till = Till::open().await;
    let said = said("pm_card_visa");
    till.tell(&[&said.placed]).await;
    let (store, payment) = (till.store(), till.payment(said.payment_id).await);
    let refused = |outcome| matches!(outcome, Err(CommitError::ConditionFailed(_)));
    assert!(refused(store.insert(&payment, None, &said.placed).await));

    store.begin(said.payment_id, Intent::Capture).await.unwrap();
    store.begin(said.payment_id, Intent::Capture).await.unwrap();
    assert!(refused(store.begin(said.payment_id, Intent::Void).await));

    let captured = payments::domain::Payment {
        status: Status::Captured,
        ..payment
    };
    let event = says(&OrderCommitted {
        order_id: said.order_id,
        payment_id: said.payment_id,
        total: said.total,
    });
    let (intent, because) = (Intent::Capture, &said.committed);
    store
        .finish(&captured, intent, &event, because)
        .await
        .unwrap();
    assert!(refused(
        store.finish(&captured, intent, &event, because).await
    ));
    assert!(refused(store.begin(said.payment_id, Intent::Capture).await));
    till.tell(&[&said.committed]).await;
    assert_eq!(
        till.ledger.of(said.payment_id).taken,
        [],
        "it is captured as far as we know"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_event_in_many_functions_at_once_is_one_charge() {
    let till = Till::open().await;
    for _ in 0..5 {
        let said = said("pm_card_visa");
        for event in [&said.placed, &said.committed] {
            let at_once = (0..8).map(|_| {
                let (processor, event) = (till.processor.clone(), event.clone());
                tokio::spawn(async move { processor.process(&event).await })
            });
            for outcome in join_all(at_once).await {
                outcome.unwrap().unwrap();
            }
        }
        assert_eq!(till.ledger.of(said.payment_id).taken, [said.total]);
        assert_eq!(till.events(said.payment_id).await, [AUTHORIZED, CAPTURED]);
    }
}

#[tokio::test]
async fn what_cannot_be_true_goes_to_a_person_and_stops_nobody_else() {
    let till = Till::open().await;
    let (one, two) = (said("pm_card_visa"), said("pm_card_chargeDeclined"));
    let consumer = till.table.start(&process_payments::function()).await;
    let mut unreadable = one.placed.clone();
    unreadable.data = json!({"orderId": 7});
    let mut unknown = one.placed.clone();
    unknown.event_type = "order.of_tomorrow".into();
    // A capture before the payment must wait; the others go on.
    let batch: [Envelope; 4] = [
        one.committed.clone(),
        unreadable,
        unknown,
        two.placed.clone(),
    ];
    assert_eq!(deliver(&consumer, &batch).await, [0, 1]);
    assert_eq!(
        deliver(&consumer, std::slice::from_ref(&one.placed)).await,
        [0_usize; 0]
    );

    let more = says(&OrderCommitted {
        order_id: one.order_id,
        payment_id: one.payment_id,
        total: Money::new(3_999, Currency::USD).unwrap(),
    });
    let batch = [more, two.committed.clone()];
    assert_eq!(
        deliver(&consumer, &batch).await,
        [0, 1],
        "another amount; no promise"
    );
    assert_eq!(till.status(one.payment_id).await, Status::Authorized);
    assert_eq!(till.status(two.payment_id).await, Status::Declined);
}
