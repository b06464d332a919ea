use std::sync::LazyLock;

use contracts::events::OrderCommitted;
use kernel::{Currency, Money, Timestamp};

use super::*;

static PLACED: LazyLock<OrderPlaced> = LazyLock::new(|| OrderPlaced {
    order_id: testkit::new_id(),
    user_id: testkit::new_id(),
    payment_id: testkit::new_id(),
    payment_method: "pm_card_visa".into(),
    lines: vec![],
    total: Money::new(1_000, Currency::USD).unwrap(),
    held_until: Timestamp::UNIX_EPOCH,
});

fn payment(status: Status, intent: Option<Intent>, referenced: bool) -> Payment {
    Payment {
        payment_id: PLACED.payment_id,
        order_id: PLACED.order_id,
        user_id: PLACED.user_id,
        amount: PLACED.total,
        status,
        intent,
        failure_reason: None,
        provider_reference: referenced.then(|| ProviderReference("reference".into())),
        payment_method: (status == Status::Pending && referenced).then(|| "pm_card_visa".into()),
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    }
}

fn committed() -> OrderCommitted {
    OrderCommitted {
        order_id: PLACED.order_id,
        payment_id: PLACED.payment_id,
        total: PLACED.total,
    }
}

fn ended() -> OrderEnded {
    OrderEnded {
        order_id: PLACED.order_id,
        user_id: PLACED.user_id,
        payment_id: PLACED.payment_id,
        total: PLACED.total,
    }
}

fn label(action: &Action) -> &'static str {
    match action {
        Action::Begin(_) => "BEGIN",
        Action::Authorize(_) => "AUTHORIZE",
        Action::Capture(_) => "CAPTURE",
        Action::Void(_) => "VOID",
        Action::InsertTombstone(_) => "TOMBSTONE",
        Action::Ignore(_) => "-",
        Action::Defer(_) => "defer",
        Action::Contradiction(_) => "contradiction",
    }
}

/// Repeats the table of `decide` on purpose: neither changes without the other.
#[test]
fn every_state_has_the_tabulated_action_for_every_event() {
    use Status::*;
    let (capture, void) = (Some(Intent::Capture), Some(Intent::Void));
    // state: placed, committed, ended
    let table = [
        (None, ["BEGIN", "defer", "TOMBSTONE"]),
        (
            Some((Pending, None, true)),
            ["AUTHORIZE", "defer", "AUTHORIZE"],
        ),
        (Some((Pending, None, false)), ["contradiction"; 3]),
        (Some((Authorized, None, true)), ["-", "CAPTURE", "VOID"]),
        (Some((Authorized, capture, true)), ["-", "CAPTURE", "defer"]),
        (
            Some((Authorized, void, true)),
            ["-", "contradiction", "VOID"],
        ),
        (Some((Authorized, None, false)), ["contradiction"; 3]),
        (Some((Declined, None, false)), ["-", "contradiction", "-"]),
        (Some((Captured, capture, true)), ["-", "-", "contradiction"]),
        (Some((CaptureFailed, capture, true)), ["-", "-", "-"]),
        (Some((Voided, void, true)), ["-", "contradiction", "-"]),
        (Some((Voided, None, false)), ["-", "contradiction", "-"]),
    ];
    let events = [
        OrderEvent::Placed(PLACED.clone()),
        OrderEvent::Committed(committed()),
        OrderEvent::Ended(ended()),
    ];
    for (state, row) in table {
        let payment = state.map(|(status, intent, reference)| payment(status, intent, reference));
        for (event, expected) in events.iter().zip(row) {
            let action = decide(payment.as_ref(), event);
            assert_eq!(label(&action), expected, "{state:?} {event:?}");
        }
    }
}

#[test]
fn an_event_with_another_order_or_amount_never_touches_the_payment() {
    let authorized = payment(Status::Authorized, None, true);
    let more = Money::new(1_001, Currency::USD).unwrap();
    let euros = Money::new(1_000, Currency::EUR).unwrap();
    for event in [
        OrderEvent::Committed(OrderCommitted {
            total: more,
            ..committed()
        }),
        OrderEvent::Committed(OrderCommitted {
            total: euros,
            ..committed()
        }),
        OrderEvent::Committed(OrderCommitted {
            order_id: testkit::new_id(),
            ..committed()
        }),
        OrderEvent::Ended(OrderEnded {
            order_id: testkit::new_id(),
            ..ended()
        }),
        OrderEvent::Placed(OrderPlaced {
            total: more,
            ..PLACED.clone()
        }),
    ] {
        assert_eq!(
            label(&decide(Some(&authorized), &event)),
            "contradiction",
            "{event:?}"
        );
    }
}

#[test]
fn an_order_announced_again_begins_no_payment_without_its_method_and_continues_one_that_began() {
    let again = OrderPlaced {
        payment_method: String::new(),
        ..PLACED.clone()
    };
    let again = OrderEvent::Placed(again);
    assert_eq!(label(&decide(None, &again)), "-");
    let pending = payment(Status::Pending, None, true);
    assert_eq!(
        decide(Some(&pending), &again),
        Action::Authorize("pm_card_visa".into())
    );
}
