use kernel::{Currency, Money, ProductId};
use proptest::prelude::*;

use super::*;

fn line() -> OrderLine {
    OrderLine {
        product_id: ProductId::from(uuid_of(7)),
        name: "Lamp".into(),
        quantity: 2,
        unit_price: Money::new(1_999, Currency::USD).unwrap(),
    }
}

fn uuid_of(n: u8) -> uuid::Uuid {
    uuid::Uuid::from_bytes([n; 16])
}

fn held() -> Reservation {
    let order_id = OrderId::from(uuid_of(1));
    Reservation::hold(
        order_id,
        vec![line()],
        "chain".into(),
        Timestamp::UNIX_EPOCH,
    )
}

fn in_status(status: Status) -> Reservation {
    Reservation { status, ..held() }
}

fn at(offset: SignedDuration) -> Timestamp {
    Timestamp::UNIX_EPOCH + HOLD + offset
}

const MOMENT: SignedDuration = SignedDuration::from_millis(1);

#[test]
fn a_hold_is_sold_until_the_last_millisecond_and_expires_from_then_on() {
    let sold = held().authorize("e", at(-MOMENT)).unwrap();
    assert_eq!(sold.next.status, Status::Sold);
    assert!(!sold.goods_back);
    assert!(matches!(sold.says[..], [Said::Committed(_)]));
    assert_eq!(held().expire(at(-MOMENT)), None);

    for late in [SignedDuration::ZERO, MOMENT] {
        let over = held().authorize("e", at(late)).unwrap();
        assert_eq!(over.next.status, Status::Expired);
        assert!(over.goods_back);
        assert!(matches!(
            over.says[..],
            [Said::Expired(_), Said::Rejected(_)]
        ));
        assert!(held().expire(at(late)).unwrap().goods_back);
    }
}

#[test]
fn goods_come_back_only_from_where_they_are() {
    for status in [Status::Released, Status::Expired, Status::Missing] {
        assert_eq!(
            in_status(status).release("e", at(MOMENT)),
            None,
            "{status:?}"
        );
        let told = in_status(status).authorize("e", at(MOMENT)).unwrap();
        assert!(!told.goods_back, "{status:?}");
        assert_eq!(told.next.status, status);
        assert!(matches!(told.says[..], [Said::Rejected(_)]));
    }
    for status in [
        Status::Sold,
        Status::Released,
        Status::Expired,
        Status::Missing,
    ] {
        assert_eq!(in_status(status).expire(at(MOMENT)), None, "{status:?}");
    }
    for status in [Status::Held, Status::Sold] {
        let released = in_status(status).release("e", at(MOMENT)).unwrap();
        assert!(released.goods_back);
        assert_eq!(released.next.status, Status::Released);
    }
}

#[test]
fn whoever_asks_again_is_told_the_same_while_it_stands() {
    let asked = held().quantities();
    let in_time = at(-MOMENT);
    assert_eq!(held().answer(&asked, in_time), held().held());
    assert_eq!(
        in_status(Status::Sold).answer(&asked, at(MOMENT)),
        held().held()
    );
    assert_eq!(
        held().answer(&asked, at(SignedDuration::ZERO)),
        StockReservation::Gone
    );
    for status in [Status::Released, Status::Expired, Status::Missing] {
        assert_eq!(
            in_status(status).answer(&asked, in_time),
            StockReservation::Gone
        );
    }
    let mut other = asked;
    other[0].quantity = 1;
    assert_eq!(held().answer(&other, in_time), StockReservation::Gone);
}

#[derive(Clone, Copy, Debug)]
enum Happens {
    Authorize(u8),
    Release(u8),
    Expire,
    Wait(i64),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        (0..4_u8).prop_map(Happens::Authorize),
        (4..8_u8).prop_map(Happens::Release),
        Just(Happens::Expire),
        (0..20_i64).prop_map(Happens::Wait),
    ]
}

proptest! {
    /// Whatever happens, and however often: goods go back once and never when
    /// they are gone, nothing is sold past its time, no event counts twice.
    #[test]
    fn goods_are_held_sold_or_back_and_never_two_of_these(
        happenings in prop::collection::vec(happens(), 0..40),
    ) {
        let (mut reservation, mut now, mut back) = (held(), Timestamp::UNIX_EPOCH, 0);
        let mut answered = BTreeSet::new();
        for happening in happenings {
            let (step, key) = match happening {
                Happens::Authorize(n) => {
                    let key = n.to_string();
                    (reservation.authorize(&key, now), Some(key))
                }
                Happens::Release(n) => {
                    let key = n.to_string();
                    (reservation.release(&key, now), Some(key))
                }
                Happens::Expire => (reservation.expire(now), None),
                Happens::Wait(minutes) => {
                    now += SignedDuration::from_mins(minutes);
                    continue;
                }
            };
            let Some(step) = step else { continue };
            prop_assert_eq!(step.goods_back, reservation.has_goods() && !step.next.has_goods());
            if let Some(key) = key {
                prop_assert!(answered.insert(key), "an event counted twice");
            }
            let sold = reservation.status == Status::Held && step.next.status == Status::Sold;
            prop_assert!(!sold || now < reservation.held_until, "sold past its time");
            prop_assert_eq!(step.next.version, reservation.version + 1);
            back += u32::from(step.goods_back);
            reservation = step.next;
            prop_assert_eq!(back, u32::from(!reservation.has_goods()));
        }
    }
}
