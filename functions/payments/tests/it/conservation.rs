//! Money is conserved: whatever events arrive, in any order and any number of
//! times, and wherever the function dies.

use contracts::Envelope;
use payments::domain::Status;
use proptest::{prelude::*, test_runner::Config};

use crate::{
    fixture::{Order, TestPayments},
    recording_provider::Call,
};

/// How an order ends. Orders never both commits and ends one before its payment
/// is captured, but this service must not depend on that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Committed,
    Ended,
    Both,
}

fn events_of(order: &Order, ending: Ending) -> Vec<Envelope> {
    let mut events = vec![order.placed.clone()];
    if ending != Ending::Ended {
        events.push(order.committed.clone());
    }
    if ending != Ending::Committed {
        events.extend([order.cancelled.clone(), order.payment_failed.clone()]);
    }
    events
}

async fn check_conservation(
    token: &'static str,
    ending: Ending,
    arrivals: &[usize],
    calls: Vec<Call>,
) -> Result<(), TestCaseError> {
    let payments = TestPayments::new().await;
    let order = payments.order(token);
    let events = events_of(&order, ending);
    payments.provider.plan(calls);
    let id = order.payment_id;
    for arrival in arrivals {
        let _ = payments
            .processor
            .process(&events[arrival % events.len()])
            .await;
        let account = payments.provider.account(id);
        prop_assert!(account.violations.is_empty(), "{:?}", account.violations);
        prop_assert!(account.captured.len() <= 1);
    }
    // The faults end, and the queue redelivers every event until it succeeds or
    // is moved to the dead-letter queue.
    payments.provider.plan([]);
    for _ in 0..events.len() {
        for event in &events {
            let _ = payments.processor.process(event).await;
        }
    }
    let (account, payment) = (payments.provider.account(id), payments.payment(id).await);
    let recorded = payments.event_types(id).await;
    let count = |name: &str| recorded.iter().filter(|recorded| *recorded == name).count();

    prop_assert!(account.violations.is_empty(), "{:?}", account.violations);
    let captured = payment.status == Status::Captured;
    let amount: i64 = account.captured.iter().map(|money| money.minor()).sum();
    prop_assert_eq!(amount, if captured { order.total.minor() } else { 0 });
    prop_assert_eq!(count("payment.captured"), usize::from(captured));
    prop_assert!(count("payment.authorized") + count("payment.declined") <= 1);
    prop_assert!(recorded.len() <= 2, "{:?}", recorded);
    // No authorisation is left open, and each is settled in one way.
    prop_assert!(payment.status != Status::Authorized);
    if account.authorized.is_some() && !captured {
        prop_assert!(account.voided, "{:?} {:?}", payment, account);
    }
    match (ending, token) {
        (Ending::Committed, "pm_card_visa") => prop_assert!(captured),
        (Ending::Committed, "pm_card_chargeCustomerFail") => {
            prop_assert_eq!(payment.status, Status::CaptureFailed);
        }
        (Ending::Ended, "pm_card_visa") => prop_assert_eq!(payment.status, Status::Voided),
        _ => {}
    }
    Ok(())
}

proptest! {
    // Each case has its own table; more of them cost minutes.
    #![proptest_config(Config { cases: 96, ..Config::default() })]

    #[test]
    fn money_is_conserved(
        token in prop::sample::select(vec![
            "pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined", "pm_card_chargeCustomerFail",
        ]),
        ending in prop::sample::select(vec![Ending::Committed, Ending::Ended, Ending::Both]),
        arrivals in prop::collection::vec(0..12_usize, 0..12),
        calls in prop::collection::vec(
            prop::sample::select(vec![Call::Succeeds, Call::RequestLost, Call::ResponseLost]), 0..8,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check_conservation(token, ending, &arrivals, calls))?;
    }
}
