use std::sync::LazyLock;

use contracts::{
    Envelope, Stamp,
    events::{
        OrderLine, OrderPlaced, PaymentAuthorized, PaymentCaptureFailed, PaymentCaptured,
        PaymentDeclined, PaymentDelayed, PaymentVoided, ReservationExpired, StockCommitRejected,
        StockCommitted, StockReleased,
    },
};
use kernel::{Actor, Cause, Currency, Money, SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;

fn money(minor: i64) -> Money {
    Money::new(minor, Currency::USD).unwrap()
}

fn stamp(time: Timestamp) -> Stamp {
    Stamp {
        id: testkit::new_id(),
        time,
        cause: Cause::new("correlation", "request", Actor::Anonymous),
    }
}

static PLACED: LazyLock<OrderPlaced> = LazyLock::new(|| OrderPlaced {
    order_id: testkit::new_id(),
    user_id: testkit::new_id(),
    payment_id: testkit::new_id(),
    payment_method: "pm_card_visa".into(),
    lines: vec![OrderLine {
        product_id: testkit::new_id(),
        name: "Lamp".into(),
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
        ..Order::from_placed(PLACED.clone(), Timestamp::UNIX_EPOCH)
    }
}

fn events() -> Vec<(&'static str, ExternalEvent)> {
    let (order_id, payment_id, amount) = (PLACED.order_id, PLACED.payment_id, PLACED.total);
    let reason = || "card_declined".to_owned();
    let rejected =
        |reason| ExternalEvent::StockCommitRejected(StockCommitRejected { order_id, reason });
    vec![
        (
            "authorized",
            ExternalEvent::PaymentAuthorized(PaymentAuthorized {
                payment_id,
                order_id,
                amount,
            }),
        ),
        (
            "declined",
            ExternalEvent::PaymentDeclined(PaymentDeclined {
                payment_id,
                order_id,
                reason: reason(),
            }),
        ),
        (
            "captured",
            ExternalEvent::PaymentCaptured(PaymentCaptured {
                payment_id,
                order_id,
                amount,
            }),
        ),
        (
            "capture_failed",
            ExternalEvent::PaymentCaptureFailed(PaymentCaptureFailed {
                payment_id,
                order_id,
                reason: reason(),
            }),
        ),
        (
            "voided",
            ExternalEvent::PaymentVoided(PaymentVoided {
                payment_id,
                order_id,
            }),
        ),
        (
            "committed",
            ExternalEvent::StockCommitted(StockCommitted { order_id }),
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
            ExternalEvent::StockReleased(StockReleased {
                order_id,
                lines: vec![],
            }),
        ),
        (
            "expired",
            ExternalEvent::ReservationExpired(ReservationExpired { order_id }),
        ),
        (
            "delayed",
            ExternalEvent::PaymentDelayed(PaymentDelayed {
                payment_id,
                order_id,
            }),
        ),
    ]
}

fn label(decision: &Decision) -> &'static str {
    match decision {
        Decision::Apply(Transition::Authorized(_)) => "AUTHORIZED",
        Decision::Apply(Transition::Committed(_)) => "COMMITTED",
        Decision::Apply(Transition::Confirmed(_)) => "CONFIRMED",
        Decision::Apply(Transition::Cancelled(cancelled)) => match cancelled.reason {
            CancellationReason::ReservationExpired => "CANCELLED expired",
            CancellationReason::StockUnavailable => "CANCELLED unavailable",
            CancellationReason::CancelledByShop => "CANCELLED by the shop",
        },
        Decision::Apply(Transition::PaymentFailed(_)) => "PAYMENT FAILED",
        Decision::Ignore(_) => "-",
        Decision::Remind => "remind",
        Decision::Close => "close",
        Decision::Defer(_) => "defer",
        Decision::Contradiction(_) => "contradiction",
    }
}

/// Repeats the table of `decide` on purpose: neither changes without the other.
#[test]
fn every_state_has_the_tabulated_decision_for_every_event() {
    /// A contradiction.
    const C: &str = "contradiction";
    #[rustfmt::skip]
    const PAID: [&str; 12] = [
        "-", C, "-", C, C,
        "-", C, C, C, C, C, "-",
    ];
    #[rustfmt::skip]
    const FAILED: [&str; 12] = [
        "-", "-", C, "-", "-",
        "remind", "-", "-", "-", "-", "-", "remind",
    ];
    #[rustfmt::skip]
    const FAILED_AFTER_SALE: [&str; 12] = [
        "-", "-", C, "-", "-",
        "-", "-", "-", "-", "close", "-", "remind",
    ];
    #[rustfmt::skip]
    let table: [[&str; 12]; 10] = [
        // authorized, declined, captured, capture_failed, voided,
        // committed, rejected: expired, released, missing, released, expired, delayed
        [
            "AUTHORIZED", "PAYMENT FAILED", "defer", "defer", C,
            "defer", "defer", "defer", "defer", C, "CANCELLED expired", "remind",
        ],
        [
            "-", C, "defer", "defer", C,
            "COMMITTED", "CANCELLED expired", "CANCELLED unavailable", "CANCELLED unavailable",
            C, "CANCELLED expired", "remind",
        ],
        [
            "-", C, "CONFIRMED", "PAYMENT FAILED", C,
            "-", C, C, C, C, C, "remind",
        ],
        PAID,
        PAID,
        PAID,
        PAID,
        FAILED,
        FAILED,
        FAILED_AFTER_SALE,
    ];
    for ((status, committed), row) in STATES.into_iter().zip(table) {
        for ((name, event), expected) in events().into_iter().zip(row) {
            let decision = decide(&order(status, committed), &event);
            assert_eq!(label(&decision), expected, "{status:?} {committed}, {name}");
        }
    }
}

#[test]
fn an_event_with_another_payment_or_amount_is_a_contradiction() {
    let (order_id, payment_id, amount) = (PLACED.order_id, PLACED.payment_id, PLACED.total);
    let (other, cheap) = (testkit::new_id(), money(999));
    let wrong = [
        ExternalEvent::PaymentAuthorized(PaymentAuthorized {
            payment_id: other,
            order_id,
            amount,
        }),
        ExternalEvent::PaymentAuthorized(PaymentAuthorized {
            payment_id,
            order_id,
            amount: cheap,
        }),
        ExternalEvent::PaymentCaptured(PaymentCaptured {
            payment_id: other,
            order_id,
            amount,
        }),
        ExternalEvent::PaymentCaptured(PaymentCaptured {
            payment_id,
            order_id,
            amount: cheap,
        }),
        ExternalEvent::PaymentDeclined(PaymentDeclined {
            payment_id: other,
            order_id,
            reason: "x".into(),
        }),
        ExternalEvent::PaymentVoided(PaymentVoided {
            payment_id: other,
            order_id,
        }),
    ];
    for (status, committed) in STATES {
        for event in &wrong {
            let decision = decide(&order(status, committed), event);
            assert_eq!(label(&decision), "contradiction", "{status:?} {event:?}");
        }
    }
}

#[test]
fn the_reason_of_a_declined_payment_becomes_the_status_reason() {
    let pending = order(Status::Pending, false);
    let decision = decide(&pending, &events()[1].1);
    let Decision::Apply(transition) = decision else {
        panic!("{decision:?}")
    };
    let failed = pending.apply(&transition, Timestamp::UNIX_EPOCH);
    assert_eq!(failed.status_reason.as_deref(), Some("card_declined"));
}

/// The history and the final state after a run of events.
fn run(events: &[ExternalEvent]) -> (Vec<Envelope>, Order) {
    let mut history = vec![Envelope::new(&*PLACED, stamp(Timestamp::UNIX_EPOCH))];
    let mut order = Order::from_placed(PLACED.clone(), Timestamp::UNIX_EPOCH);
    for event in events {
        if let Decision::Apply(transition) = decide(&order, event) {
            let at = order.updated_at + SignedDuration::from_millis(1);
            history.push(transition.envelope(stamp(at)));
            order = order.apply(&transition, at);
        }
    }
    (history, order)
}

proptest! {
    /// Any events, in any order, any number of times.
    #[test]
    fn no_run_of_events_breaks_the_invariants(picks in prop::collection::vec(0..12_usize, 0..40)) {
        let all = events();
        let events: Vec<ExternalEvent> = picks.iter().map(|pick| all[*pick].1.clone()).collect();
        let (history, order) = run(&events);
        let types: Vec<&str> = history.iter().map(|event| event.event_type.as_str()).collect();
        let position = |name: &str| types.iter().position(|t| *t == name);

        // The snapshot is the fold of the history, from the events' JSON.
        let stored: Vec<Envelope> = history
            .iter()
            .map(|event| serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap())
            .collect();
        prop_assert_eq!(Order::fold(&stored).unwrap().unwrap(), order.clone());
        prop_assert_eq!(usize::try_from(order.version).unwrap(), history.len());

        // Each event at most once, and only after its cause.
        for name in &types {
            prop_assert_eq!(types.iter().filter(|t| *t == name).count(), 1, "{:?}", types);
        }
        if let Some(confirmed) = position("order.confirmed") {
            prop_assert!(position("order.committed").unwrap() < confirmed);
            prop_assert_eq!(confirmed, types.len() - 1, "nothing follows it");
        }
        if let Some(committed) = position("order.committed") {
            prop_assert!(position("order.authorized").unwrap() < committed);
            // An order whose goods are sold is confirmed or its payment fails; it is
            // never cancelled.
            prop_assert!(position("order.cancelled").is_none());
        }
        // At most one final event.
        let ends = ["order.confirmed", "order.cancelled", "order.payment_failed"];
        prop_assert!(ends.iter().filter(|end| position(end).is_some()).count() <= 1);
    }

    /// Deferred events are delivered again, so the events of one course reach
    /// the same final state in whatever order they arrive.
    #[test]
    fn the_order_of_arrival_does_not_matter(
        arrival in Just(vec![0_usize, 5, 2]).prop_shuffle(),
        fails in any::<bool>(),
    ) {
        let all = events();
        let mut queue: Vec<usize> = arrival
            .into_iter()
            .map(|pick| if fails && pick == 2 { 3 } else { pick })
            .collect();
        let mut order = Order::from_placed(PLACED.clone(), Timestamp::UNIX_EPOCH);
        for _ in 0..4 {
            queue.retain(|pick| match decide(&order, &all[*pick].1) {
                Decision::Apply(transition) => {
                    order = order.apply(&transition, Timestamp::UNIX_EPOCH);
                    false
                }
                Decision::Defer(_) => true,
                other => panic!("{other:?}"),
            });
        }
        prop_assert!(queue.is_empty());
        let status = if fails { Status::PaymentFailed } else { Status::Confirmed };
        prop_assert_eq!(order.status, status);
    }
}
