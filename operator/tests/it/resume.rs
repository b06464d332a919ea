//! `order resume`.

use operator::Command;

use crate::fixture::{Fixture, UNITS};

/// The message that tells payments of the order.
const PLACED: usize = 1;
/// How long an order may wait for the end of its hold to be noticed.
const MINUTES_MAX: u32 = 45;

/// Whichever message is lost for good, on whatever way, the order goes on once a
/// person resumes it, and nothing happens twice. Only the payment method is lost with
/// the message that has it: without it, the order ends unpaid.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_on_after_any_one_of_its_messages_was_lost() {
    let fixture = Fixture::start().await;
    fixture.place("pm_card_visa").await;
    let messages = fixture.settle().await;
    assert!(messages >= 6, "{messages} messages");
    let (mut placed, mut resumed) = (1, 0);
    for lost in 1..=messages {
        let id = fixture.place("pm_card_visa").await;
        placed += 1;
        fixture.settle_without(Some(lost)).await;
        if fixture.status(id).await == "confirmed" {
            // It was five minutes old by then, and reminded by itself.
            continue;
        }
        resumed += 1;
        let text = fixture.run(Command::Resume(id)).await.unwrap();
        assert!(text.contains("is published again"), "{text}");
        fixture.settle().await;
        if lost == PLACED {
            assert_eq!(fixture.status(id).await, "pending");
            for _ in 0..MINUTES_MAX {
                fixture.settle().await;
                if fixture.status(id).await == "cancelled" {
                    break;
                }
            }
            assert_eq!(fixture.status(id).await, "cancelled");
            fixture.settle().await;
            placed -= 1;
            continue;
        }
        assert_eq!(fixture.status(id).await, "confirmed", "message {lost}");
        assert_eq!(fixture.stock().await, u64::from(UNITS) - placed);
    }
    assert!(resumed >= 4, "only {resumed} orders had to be resumed");
}

#[tokio::test(flavor = "multi_thread")]
async fn resuming_an_order_twice_or_after_its_end_changes_nothing() {
    let fixture = Fixture::start().await;
    let id = fixture.place("pm_card_visa").await;
    fixture.settle().await;
    let before = fixture.json(Command::Show(id)).await;
    for _ in 0..2 {
        let text = fixture.run(Command::Resume(id)).await.unwrap();
        assert!(text.contains("it waited for nothing"), "{text}");
        fixture.settle().await;
    }
    let after = fixture.json(Command::Show(id)).await;
    assert_eq!(after["order"], before["order"]);
    assert_eq!(after["payment"], before["payment"]);
    assert_eq!(after["goods"], before["goods"]);
    assert_eq!(after["history"], before["history"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_does_not_exist_is_not_resumed() {
    let fixture = Fixture::start().await;
    let error = fixture.run(Command::Resume(testkit::new_id())).await;
    assert!(error.unwrap_err().starts_with("there is no order "));
}
