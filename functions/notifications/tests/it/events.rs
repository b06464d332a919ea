//! Events of accounts and orders, as the other services publish them.

use contracts::{
    Envelope, EventData, Stamp,
    events::{
        OrderConfirmed, OrderLine, OrderPaymentFailed, Preferences, UserEmailVerified,
        UserRegistered, UserUpdated,
    },
};
use kernel::{Actor, Cause, Currency, Money, Timestamp, UserId};

use crate::fixture::{EMAIL, at, seal_key};

pub(crate) const CORRELATION: &str = "registration-7";

pub(crate) fn event<T: EventData>(data: &T, time: Timestamp) -> Envelope {
    event_in(CORRELATION, data, time)
}

/// An event in a chain with another id.
pub(crate) fn event_in<T: EventData>(chain: &str, data: &T, time: Timestamp) -> Envelope {
    let cause = Cause::new(chain, "request-1", Actor::Anonymous);
    let id = testkit::new_id();
    Envelope::new(data, Stamp { id, time, cause })
}

pub(crate) fn registered(user_id: UserId) -> Envelope {
    registered_as(user_id, "Ada Marsh", EMAIL, at(0))
}

pub(crate) fn registered_as(user_id: UserId, name: &str, email: &str, time: Timestamp) -> Envelope {
    let data = UserRegistered {
        user_id,
        email: email.into(),
        name: name.into(),
        sealed_verification_token: seal_key().seal("tok+en/1=").unwrap(),
    };
    event(&data, time)
}

pub(crate) fn verified(user_id: UserId, email: &str) -> Envelope {
    let email = email.into();
    let proven = Some(true);
    let data = UserEmailVerified {
        user_id,
        email,
        proven,
    };
    event(&data, at(5))
}

pub(crate) fn updated(user_id: UserId, email: &str, time: Timestamp) -> Envelope {
    let data = UserUpdated {
        user_id,
        email: email.into(),
        name: "Ada King".into(),
        role: "user".into(),
        status: "active".into(),
        preferences: None,
    };
    event(&data, time)
}

pub(crate) fn email_preference(user_id: UserId, email: bool, time: Timestamp) -> Envelope {
    let data = UserUpdated {
        user_id,
        email: EMAIL.into(),
        name: "Ada Marsh".into(),
        role: "user".into(),
        status: "active".into(),
        preferences: Some(Preferences {
            email,
            sms: true,
            push: true,
            marketing: true,
        }),
    };
    event(&data, time)
}

pub(crate) fn dollars(minor: i64) -> Money {
    Money::new(minor, Currency::USD).unwrap()
}

pub(crate) fn confirmed(user_id: UserId) -> Envelope {
    let line = |name: &str, quantity, minor| OrderLine {
        product_id: testkit::new_id(),
        name: name.into(),
        quantity,
        unit_price: dollars(minor),
    };
    let data = OrderConfirmed {
        order_id: testkit::new_id(),
        user_id,
        payment_id: testkit::new_id(),
        lines: vec![
            line("Copper <kettle> & \"lid\"", 2, 4950),
            line("Tea", 1, 100),
        ],
        total: dollars(10_000),
    };
    event(&data, at(10))
}

pub(crate) fn payment_failed(user_id: UserId, reason: &str) -> Envelope {
    let data = OrderPaymentFailed {
        order_id: testkit::new_id(),
        user_id,
        payment_id: testkit::new_id(),
        total: dollars(9999),
        reason: reason.into(),
    };
    event(&data, at(10))
}
