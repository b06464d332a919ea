use kernel::{Currency, Money};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);

fn line() -> OrderLine {
    OrderLine {
        product_id: Uuid::from_u128(7).into(),
        name: "Lamp".into(),
        quantity: 2,
        unit_price: Money::new(1_999, Currency::USD).unwrap(),
    }
}

fn held() -> Reservation {
    let order_id = Uuid::from_u128(1).into();
    let correlation_id = "correlation".into();
    Reservation::hold(
        order_id,
        vec![line()],
        correlation_id,
        Timestamp::UNIX_EPOCH,
    )
}

fn in_status(status: Status) -> Reservation {
    Reservation { status, ..held() }
}

/// A time relative to the end of the hold period.
fn at(offset: SignedDuration) -> Timestamp {
    Timestamp::UNIX_EPOCH + HOLD_PERIOD + offset
}

#[test]
fn a_reservation_is_sold_until_the_last_millisecond_and_expires_from_then_on() {
    let sold = held().commit("e", at(-MILLISECOND)).unwrap();
    assert_eq!(sold.reservation.status, Status::Sold);
    assert!(!sold.restock);
    assert!(matches!(sold.events[..], [StockEvent::Committed(_)]));
    assert_eq!(held().expire(at(-MILLISECOND)), None);

    for late in [SignedDuration::ZERO, MILLISECOND] {
        let expired = held().commit("e", at(late)).unwrap();
        assert_eq!(expired.reservation.status, Status::Expired);
        assert!(expired.restock);
        assert!(matches!(
            expired.events[..],
            [StockEvent::Expired(_), StockEvent::CommitRejected(_)]
        ));
        assert!(held().expire(at(late)).unwrap().restock);
    }
}

#[test]
fn only_held_and_sold_goods_are_restocked() {
    let late = at(MILLISECOND);
    for status in [Status::Released, Status::Expired, Status::Missing] {
        assert_eq!(in_status(status).release("e", late), None, "{status:?}");
        let rejected = in_status(status).commit("e", late).unwrap();
        assert!(!rejected.restock, "{status:?}");
        assert_eq!(rejected.reservation.status, status);
        assert!(matches!(
            rejected.events[..],
            [StockEvent::CommitRejected(_)]
        ));
    }
    for status in [
        Status::Sold,
        Status::Released,
        Status::Expired,
        Status::Missing,
    ] {
        assert_eq!(in_status(status).expire(late), None, "{status:?}");
    }
    for status in [Status::Held, Status::Sold] {
        let released = in_status(status).release("e", late).unwrap();
        assert!(released.restock);
        assert_eq!(released.reservation.status, Status::Released);
    }
}

#[test]
fn a_repeated_call_gets_the_first_reply_while_the_reservation_is_valid() {
    let requested = held().quantities();
    let in_time = at(-MILLISECOND);
    let first = held().held_reply();
    let in_time_to_pay = at(-HOLD_LEFT_MIN);
    assert_eq!(held().repeated_reply(&requested, in_time_to_pay), first);
    for too_late_to_pay in [at(MILLISECOND - HOLD_LEFT_MIN), in_time] {
        let reply = held().repeated_reply(&requested, too_late_to_pay);
        assert_eq!(reply, StockReservation::Gone);
    }
    let sold = in_status(Status::Sold);
    assert_eq!(sold.repeated_reply(&requested, at(MILLISECOND)), first);
    assert_eq!(
        held().repeated_reply(&requested, at(SignedDuration::ZERO)),
        StockReservation::Gone
    );
    for status in [Status::Released, Status::Expired, Status::Missing] {
        assert_eq!(
            in_status(status).repeated_reply(&requested, in_time),
            StockReservation::Gone
        );
    }
    let mut different = requested;
    different[0].quantity = 1;
    let reply = held().repeated_reply(&different, in_time_to_pay);
    assert_eq!(reply, StockReservation::Gone);
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Commit(u8),
    Release(u8),
    Expire,
    AdvanceMinutes(i64),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        (0..4_u8).prop_map(Action::Commit),
        (4..8_u8).prop_map(Action::Release),
        Just(Action::Expire),
        (0..20_i64).prop_map(Action::AdvanceMinutes),
    ]
}

proptest! {
    /// Whatever the order and the number of actions: goods are restocked once,
    /// nothing is sold after its hold period, no event is handled twice.
    #[test]
    fn goods_are_either_held_or_sold_or_restocked(
        actions in prop::collection::vec(action(), 0..40),
    ) {
        let (mut reservation, mut now, mut restocked) = (held(), Timestamp::UNIX_EPOCH, 0);
        let mut handled = BTreeSet::new();
        for action in actions {
            let (transition, key) = match action {
                Action::Commit(n) => {
                    let key = n.to_string();
                    (reservation.commit(&key, now), Some(key))
                }
                Action::Release(n) => {
                    let key = n.to_string();
                    (reservation.release(&key, now), Some(key))
                }
                Action::Expire => (reservation.expire(now), None),
                Action::AdvanceMinutes(minutes) => {
                    now += SignedDuration::from_mins(minutes);
                    continue;
                }
            };
            let Some(Transition { reservation: next, restock, ends_hold, .. }) = transition else {
                continue;
            };
            let leaves_hold = reservation.status == Status::Held && next.status != Status::Held;
            prop_assert_eq!(ends_hold, leaves_hold);
            prop_assert_eq!(restock, reservation.has_goods() && !next.has_goods());
            if let Some(key) = key {
                prop_assert!(handled.insert(key), "an event was handled twice");
            }
            let is_sale = reservation.status == Status::Held && next.status == Status::Sold;
            prop_assert!(!is_sale || now < reservation.held_until, "sold late");
            prop_assert_eq!(next.version, reservation.version + 1);
            restocked += u32::from(restock);
            reservation = next;
            prop_assert_eq!(restocked, u32::from(!reservation.has_goods()));
        }
    }
}
