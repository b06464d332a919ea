//! Money is conserved: whatever orders says, in whatever order and however
//! often, and wherever the function dies.

use contracts::Envelope;
use payments::domain::Status;
use proptest::{prelude::*, test_runner::Config};

use crate::{
    ledger::Call,
    till::{Said, Till, said},
};

/// What orders says in the end; it never both sells an order and ends it
/// before the money was asked for, but this service must not depend on that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    Sold,
    Ended,
    Both,
}

fn told(said: &Said, story: Story) -> Vec<Envelope> {
    let mut events = vec![said.placed.clone()];
    if story != Story::Ended {
        events.push(said.committed.clone());
    }
    if story != Story::Sold {
        events.extend([said.cancelled.clone(), said.payment_failed.clone()]);
    }
    events
}

async fn conserved(
    token: &'static str,
    story: Story,
    arrivals: &[usize],
    calls: Vec<Call>,
) -> Result<(), TestCaseError> {
    let till = Till::open().await;
    let said = said(token);
    let events = told(&said, story);
    till.ledger.plan(calls);
    let id = said.payment_id;
    for arrival in arrivals {
        let _ = till
            .processor
            .process(&events[arrival % events.len()])
            .await;
        let account = till.ledger.of(id);
        prop_assert!(account.wrongs.is_empty(), "{:?}", account.wrongs);
        prop_assert!(account.taken.len() <= 1);
    }
    // The faults pass, and the queue brings what is left until it is taken or
    // given up.
    till.ledger.plan([]);
    for _ in 0..events.len() {
        for event in &events {
            let _ = till.processor.process(event).await;
        }
    }
    let (account, payment) = (till.ledger.of(id), till.payment(id).await);
    let recorded = till.events(id).await;
    let count = |name: &str| recorded.iter().filter(|one| *one == name).count();

    prop_assert!(account.wrongs.is_empty(), "{:?}", account.wrongs);
    let captured = payment.status == Status::Captured;
    let taken: i64 = account.taken.iter().map(|money| money.minor()).sum();
    prop_assert_eq!(taken, if captured { said.total.minor() } else { 0 });
    prop_assert_eq!(count("payment.captured"), usize::from(captured));
    prop_assert!(count("payment.authorized") + count("payment.declined") <= 1);
    prop_assert!(recorded.len() <= 2, "{:?}", recorded);
    // No promise is left standing, and each is settled one way.
    prop_assert!(payment.status != Status::Authorized);
    if account.promised.is_some() && !captured && payment.status != Status::CaptureFailed {
        prop_assert!(account.voided, "{:?} {:?}", payment, account);
    }
    match (story, token) {
        (Story::Sold, "pm_card_visa") => prop_assert!(captured),
        (Story::Sold, "pm_card_chargeCustomerFail") => {
            prop_assert_eq!(payment.status, Status::CaptureFailed);
        }
        (Story::Ended, "pm_card_visa") => prop_assert_eq!(payment.status, Status::Voided),
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
        story in prop::sample::select(vec![Story::Sold, Story::Ended, Story::Both]),
        arrivals in prop::collection::vec(0..12_usize, 0..12),
        calls in prop::collection::vec(
            prop::sample::select(vec![Call::Answered, Call::Lost, Call::AnswerLost]), 0..8,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(conserved(token, story, &arrivals, calls))?;
    }
}
