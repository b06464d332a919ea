use std::sync::LazyLock;

use kernel::{Currency, Timestamp};

use super::*;

static PLACED: LazyLock<OrderPlaced> = LazyLock::new(|| OrderPlaced {
    order_id: testkit::new_id::<OrderId>(),
    user_id: testkit::new_id::<UserId>(),
    payment_id: testkit::new_id::<PaymentId>(),
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
        provider_reference: referenced.then(|| ProviderReference("theirs".into())),
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

fn over() -> Over {
    Over {
        order_id: PLACED.order_id,
        user_id: PLACED.user_id,
        payment_id: PLACED.payment_id,
        total: PLACED.total,
    }
}

fn said(action: &Action) -> &'static str {
    match action {
        Action::Authorize(_) => "AUTHORIZE",
        Action::Capture(_) => "CAPTURE",
        Action::Void(_) => "VOID",
        Action::Bury(_) => "BURY",
        Action::VoidStray => "VOID STRAY",
        Action::Ignore(_) => "-",
        Action::NotYet(_) => "not yet",
        Action::Contradiction(_) => "contradiction",
    }
}

/// Every state against every event. A second telling of the table, on purpose:
/// the code may not change without it.
#[test]
fn every_state_decides_every_event_as_the_table_says() {
    use Status::*;
    let (capture, void) = (Some(Intent::Capture), Some(Intent::Void));
    // state: placed, committed, over
    let table = [
        (None, ["AUTHORIZE", "not yet", "BURY"]),
        (Some((Authorized, None, true)), ["-", "CAPTURE", "VOID"]),
        (
            Some((Authorized, capture, true)),
            ["-", "CAPTURE", "not yet"],
        ),
        (
            Some((Authorized, void, true)),
            ["-", "contradiction", "VOID"],
        ),
        (Some((Authorized, None, false)), ["contradiction"; 3]),
        (Some((Declined, None, false)), ["-", "contradiction", "-"]),
        (Some((Captured, capture, true)), ["-", "-", "contradiction"]),
        (Some((CaptureFailed, capture, true)), ["-", "-", "-"]),
        (Some((Voided, void, true)), ["-", "contradiction", "-"]),
        (
            Some((Voided, None, false)),
            ["VOID STRAY", "contradiction", "-"],
        ),
    ];
    let inputs = [
        Input::Placed(PLACED.clone()),
        Input::Committed(committed()),
        Input::Over(over()),
    ];
    for (state, row) in table {
        let payment = state.map(|(status, intent, reference)| payment(status, intent, reference));
        for (input, expected) in inputs.iter().zip(row) {
            let action = decide(payment.as_ref(), input);
            assert_eq!(said(&action), expected, "{state:?} {input:?}");
        }
    }
}

#[test]
fn another_order_or_another_amount_never_touches_the_payment() {
    let authorized = payment(Status::Authorized, None, true);
    let more = Money::new(1_001, Currency::USD).unwrap();
    let euros = Money::new(1_000, Currency::EUR).unwrap();
    for input in [
        Input::Committed(OrderCommitted {
            total: more,
            ..committed()
        }),
        Input::Committed(OrderCommitted {
            total: euros,
            ..committed()
        }),
        Input::Committed(OrderCommitted {
            order_id: testkit::new_id::<OrderId>(),
            ..committed()
        }),
        Input::Over(Over {
            order_id: testkit::new_id::<OrderId>(),
            ..over()
        }),
        Input::Placed(OrderPlaced {
            total: more,
            ..PLACED.clone()
        }),
    ] {
        assert_eq!(
            said(&decide(Some(&authorized), &input)),
            "contradiction",
            "{input:?}"
        );
    }
}
