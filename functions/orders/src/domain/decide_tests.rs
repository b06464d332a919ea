use std::sync::LazyLock;

use contracts::events::{OrderLine, OrderPlaced};
use jiff::Timestamp;
use kernel::{Actor, Cause, Currency, ProductId, UserId};
use proptest::prelude::*;

use super::*;

fn money(minor: i64) -> Money {
    Money::new(minor, Currency::USD).unwrap()
}

fn cause() -> Cause {
    Cause {
        correlation_id: "chain".into(),
        causation_id: "request".into(),
        actor: Actor::Anonymous,
    }
}

static PLACED: LazyLock<OrderPlaced> = LazyLock::new(|| OrderPlaced {
    order_id: testkit::new_id::<OrderId>(),
    user_id: testkit::new_id::<UserId>(),
    payment_id: testkit::new_id::<PaymentId>(),
    payment_method: "pm_card_visa".into(),
    lines: vec![OrderLine {
        product_id: testkit::new_id::<ProductId>(),
        name: "a thing".into(),
        quantity: 2,
        unit_price: money(500),
    }],
    total: money(1_000),
    held_until: Timestamp::UNIX_EPOCH,
});

const STATES: [(Status, bool); 10] = [
    (Status::Pending, false),
    (Status::Authorized, false),
    (Status::Authorized, true),
    (Status::Confirmed, true),
    (Status::Shipped, true),
    (Status::Delivered, true),
    (Status::Refunded, true),
    (Status::Cancelled, false),
    (Status::PaymentFailed, false),
    (Status::PaymentFailed, true),
];

fn order(status: Status, committed: bool) -> Order {
    Order {
        status,
        committed,
        ..Order::begin(PLACED.clone(), Timestamp::UNIX_EPOCH)
    }
}

fn inputs() -> Vec<(&'static str, Input)> {
    let (order_id, payment_id, amount) = (PLACED.order_id, PLACED.payment_id, PLACED.total);
    let reason = || "card_declined".to_owned();
    let rejected = |reason| Input::StockCommitRejected(StockCommitRejected { order_id, reason });
    vec![
        (
            "authorized",
            Input::PaymentAuthorized(PaymentAuthorized {
                payment_id,
                order_id,
                amount,
            }),
        ),
        (
            "declined",
            Input::PaymentDeclined(PaymentDeclined {
                payment_id,
                order_id,
                reason: reason(),
            }),
        ),
        (
            "captured",
            Input::PaymentCaptured(PaymentCaptured {
                payment_id,
                order_id,
                amount,
            }),
        ),
        (
            "capture_failed",
            Input::PaymentCaptureFailed(PaymentCaptureFailed {
                payment_id,
                order_id,
                reason: reason(),
            }),
        ),
        (
            "voided",
            Input::PaymentVoided(PaymentVoided {
                payment_id,
                order_id,
            }),
        ),
        (
            "committed",
            Input::StockCommitted(StockCommitted { order_id }),
        ),
        (
            "rejected: expired",
            rejected(RejectionReason::ReservationExpired),
        ),
        (
            "rejected: released",
            rejected(RejectionReason::ReservationReleased),
        ),
        (
            "rejected: missing",
            rejected(RejectionReason::ReservationMissing),
        ),
        (
            "released",
            Input::StockReleased(StockReleased {
                order_id,
                lines: vec![],
            }),
        ),
        (
            "expired",
            Input::ReservationExpired(ReservationExpired { order_id }),
        ),
    ]
}

/// The decision in one word.
fn said(decision: &Decision) -> &'static str {
    match decision {
        Decision::Step(Step::Authorized(_)) => "AUTHORIZED",
        Decision::Step(Step::Committed(_)) => "COMMITTED",
        Decision::Step(Step::Confirmed(_)) => "CONFIRMED",
        Decision::Step(Step::Cancelled(cancelled)) => match cancelled.reason {
            CancellationReason::ReservationExpired => "CANCELLED expired",
            CancellationReason::StockUnavailable => "CANCELLED unavailable",
        },
        Decision::Step(Step::PaymentFailed(_)) => "PAYMENT FAILED",
        Decision::Ignore(_) => "-",
        Decision::NotYet(_) => "not yet",
        Decision::Contradiction(_) => "contradiction",
    }
}

/// Every state against every event. A second telling of the table, on purpose:
/// the code may not change without it.
#[test]
fn every_state_decides_every_event_as_the_table_says() {
    const OVER: [&str; 11] = [
        "-",
        "-",
        "contradiction",
        "-",
        "-",
        "-",
        "-",
        "-",
        "-",
        "-",
        "-",
    ];
    let table: [[&str; 11]; 10] = [
        // authorized, declined, captured, capture_failed, voided,
        // committed, rejected: expired, released, missing, released, expired
        [
            "AUTHORIZED",
            "PAYMENT FAILED",
            "not yet",
            "not yet",
            "-",
            "not yet",
            "not yet",
            "not yet",
            "not yet",
            "-",
            "CANCELLED expired",
        ],
        [
            "-",
            "-",
            "not yet",
            "not yet",
            "-",
            "COMMITTED",
            "CANCELLED expired",
            "CANCELLED unavailable",
            "CANCELLED unavailable",
            "-",
            "CANCELLED expired",
        ],
        [
            "-",
            "-",
            "CONFIRMED",
            "PAYMENT FAILED",
            "-",
            "-",
            "-",
            "-",
            "-",
            "-",
            "-",
        ],
        ["-"; 11],
        ["-"; 11],
        ["-"; 11],
        ["-"; 11],
        OVER,
        OVER,
        OVER,
    ];
    for ((status, committed), row) in STATES.into_iter().zip(table) {
        for ((name, input), expected) in inputs().into_iter().zip(row) {
            let decision = decide(&order(status, committed), &input);
            assert_eq!(said(&decision), expected, "{status:?} {committed}, {name}");
        }
    }
}

#[test]
fn another_payment_or_another_amount_is_never_taken_for_the_orders_own() {
    let (order_id, payment_id, amount) = (PLACED.order_id, PLACED.payment_id, PLACED.total);
    let (stranger, cheap) = (testkit::new_id::<PaymentId>(), money(999));
    let wrong = [
        Input::PaymentAuthorized(PaymentAuthorized {
            payment_id: stranger,
            order_id,
            amount,
        }),
        Input::PaymentAuthorized(PaymentAuthorized {
            payment_id,
            order_id,
            amount: cheap,
        }),
        Input::PaymentCaptured(PaymentCaptured {
            payment_id: stranger,
            order_id,
            amount,
        }),
        Input::PaymentCaptured(PaymentCaptured {
            payment_id,
            order_id,
            amount: cheap,
        }),
        Input::PaymentDeclined(PaymentDeclined {
            payment_id: stranger,
            order_id,
            reason: "x".into(),
        }),
        Input::PaymentVoided(PaymentVoided {
            payment_id: stranger,
            order_id,
        }),
    ];
    for (status, committed) in STATES {
        for input in &wrong {
            let decision = decide(&order(status, committed), input);
            assert_eq!(said(&decision), "contradiction", "{status:?} {input:?}");
        }
    }
}

#[test]
fn the_payments_words_reach_the_customer() {
    let failed = decide(&order(Status::Pending, false), &inputs()[1].1);
    let Decision::Step(step) = failed else {
        panic!("{failed:?}")
    };
    let after = order(Status::Pending, false).after(&step, Timestamp::UNIX_EPOCH);
    assert_eq!(after.status_reason.as_deref(), Some("card_declined"));
}

/// What a whole run of events leads to: the history and the last state.
fn run(events: &[Input]) -> (Vec<Envelope>, Order) {
    let mut history = vec![Envelope::new(&*PLACED, Timestamp::UNIX_EPOCH, &cause())];
    let mut order = Order::begin(PLACED.clone(), Timestamp::UNIX_EPOCH);
    for input in events {
        if let Decision::Step(step) = decide(&order, input) {
            let at = order.updated_at + jiff::SignedDuration::from_millis(1);
            history.push(step.envelope(at, &cause()));
            order = order.after(&step, at);
        }
    }
    (history, order)
}

proptest! {
    /// Whatever comes, as often and in whatever order it comes.
    #[test]
    fn no_run_of_events_breaks_the_rule(picks in prop::collection::vec(0..11_usize, 0..40)) {
        let all = inputs();
        let events: Vec<Input> = picks.iter().map(|pick| all[*pick].1.clone()).collect();
        let (history, order) = run(&events);
        let types: Vec<&str> = history.iter().map(|event| event.event_type.as_str()).collect();
        let place = |name: &str| types.iter().position(|t| *t == name);

        // The snapshot is the fold of the history, from the events' JSON.
        let stored: Vec<Envelope> = history
            .iter()
            .map(|event| serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap())
            .collect();
        prop_assert_eq!(Order::fold(&stored).unwrap().unwrap(), order.clone());
        prop_assert_eq!(usize::try_from(order.version).unwrap(), history.len());

        // No event twice, and each only after its cause.
        for name in &types {
            prop_assert_eq!(types.iter().filter(|t| *t == name).count(), 1, "{:?}", types);
        }
        if let Some(confirmed) = place("order.confirmed") {
            prop_assert!(place("order.committed").unwrap() < confirmed);
            prop_assert_eq!(confirmed, types.len() - 1, "nothing after it");
        }
        if let Some(committed) = place("order.committed") {
            prop_assert!(place("order.authorized").unwrap() < committed);
            // Goods that are sold are paid for, or the money was refused: such
            // an order is never cancelled.
            prop_assert!(place("order.cancelled").is_none());
        }
        // At most one end.
        let ends = ["order.confirmed", "order.cancelled", "order.payment_failed"];
        prop_assert!(ends.iter().filter(|end| place(end).is_some()).count() <= 1);
    }

    /// What is not ready yet comes again: so in whatever order one chain of
    /// events comes, it comes to the same end.
    #[test]
    fn the_order_of_arrival_does_not_matter(
        arrival in Just(vec![0_usize, 5, 2]).prop_shuffle(),
        fails in any::<bool>(),
    ) {
        let all = inputs();
        let mut queue: Vec<usize> = arrival
            .into_iter()
            .map(|pick| if fails && pick == 2 { 3 } else { pick })
            .collect();
        let mut order = Order::begin(PLACED.clone(), Timestamp::UNIX_EPOCH);
        for _ in 0..4 {
            queue.retain(|pick| match decide(&order, &all[*pick].1) {
                Decision::Step(step) => {
                    order = order.after(&step, Timestamp::UNIX_EPOCH);
                    false
                }
                Decision::NotYet(_) => true,
                other => panic!("{other:?}"),
            });
        }
        prop_assert!(queue.is_empty());
        let end = if fails { Status::PaymentFailed } else { Status::Confirmed };
        prop_assert_eq!(order.status, end);
    }
}
