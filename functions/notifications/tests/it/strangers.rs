//! What a stranger types does not reach an address that nobody has verified:
//! anybody can register with somebody else's.

use std::collections::BTreeSet;

use contracts::{
    Envelope, EventData,
    events::{
        CancellationReason, OrderCancelled, OrderConfirmed, OrderLine, OrderPaymentFailed,
        Preferences, UserDeactivated, UserEmailChanged, UserEmailVerified, UserMfaDisabled,
        UserMfaEnabled, UserPasswordChanged, UserPasswordResetRequested, UserReactivated,
        UserRegistered, UserRegistrationAttempted, UserUpdated, UserVerificationRequested,
    },
};
use kernel::UserId;
use testkit::new_id;

use crate::{
    events::{dollars, event_in, verified},
    fixture::{TestNotifications, at, seal_key},
};

/// Texts as a stranger would send them, each of which could be a person's name
/// as far as its form goes.
const CANARY: &str = "Call 0900 555 0123 now";
const CHAIN: &str = "call-0900-555-0123";

fn event<T: EventData>(data: &T, seconds: i64) -> Envelope {
    event_in(CHAIN, data, at(seconds))
}

fn sealed() -> String {
    seal_key().seal("token").unwrap()
}

/// An event for each kind of email, with a canary wherever it has a free text. A
/// product's name is the shop's own.
fn events_of(user_id: UserId, email: &str) -> Vec<Envelope> {
    let email = || email.to_owned();
    let line = OrderLine {
        product_id: new_id(),
        name: "Kettle".into(),
        quantity: 1,
        unit_price: dollars(100),
    };
    vec![
        event(
            &UserVerificationRequested {
                user_id,
                email: email(),
                sealed_token: sealed(),
                replaces_current: None,
            },
            2,
        ),
        event(
            &UserPasswordResetRequested {
                user_id,
                email: email(),
                sealed_token: sealed(),
            },
            2,
        ),
        event(
            &UserPasswordChanged {
                user_id,
                email: email(),
            },
            2,
        ),
        event(
            &UserEmailChanged {
                user_id,
                previous_email: email(),
            },
            2,
        ),
        event(
            &UserMfaEnabled {
                user_id,
                email: email(),
            },
            2,
        ),
        event(
            &UserMfaDisabled {
                user_id,
                email: email(),
            },
            2,
        ),
        event(
            &UserDeactivated {
                user_id,
                erase_at: Some(at(1_000)),
            },
            2,
        ),
        event(&UserReactivated { user_id }, 2),
        event(
            &UserRegistrationAttempted {
                user_id,
                email: email(),
            },
            2,
        ),
        event(
            &OrderConfirmed {
                order_id: new_id(),
                user_id,
                payment_id: new_id(),
                lines: vec![line],
                total: dollars(100),
            },
            2,
        ),
        event(
            &OrderPaymentFailed {
                order_id: new_id(),
                user_id,
                payment_id: new_id(),
                total: dollars(100),
                reason: CANARY.into(),
            },
            2,
        ),
        event(
            &OrderCancelled {
                order_id: new_id(),
                user_id,
                payment_id: new_id(),
                total: dollars(100),
                reason: CancellationReason::ReservationExpired,
            },
            2,
        ),
    ]
}

/// Registers an account with a canary as its name, and changes it to another.
fn account_of(user_id: UserId, email: &str) -> [Envelope; 2] {
    let registered = UserRegistered {
        user_id,
        email: email.into(),
        name: CANARY.into(),
        sealed_verification_token: sealed(),
    };
    let updated = UserUpdated {
        user_id,
        email: email.into(),
        name: CANARY.into(),
        role: "user".into(),
        status: "active".into(),
        preferences: Some(Preferences {
            email: true,
            sms: true,
            push: true,
            marketing: true,
        }),
    };
    [event(&registered, 0), event(&updated, 1)]
}

/// The templates of which there is a file, without the layout.
fn templates() -> BTreeSet<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/templates");
    let files = std::fs::read_dir(folder).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let names = names.filter_map(|name| name.strip_suffix(".txt").map(str::to_owned));
    names.filter(|name| name != "layout").collect()
}

#[tokio::test]
async fn no_kind_of_email_carries_a_strangers_text_to_an_unverified_address() {
    let notifications = TestNotifications::new().await;
    let kinds = events_of(new_id(), "count@example.com").len();
    for index in 0..kinds {
        // A person each, as limits by address would suppress some.
        let (user_id, email) = (new_id(), format!("person{index}@example.com"));
        notifications.compose(&account_of(user_id, &email)).await;
        let event = events_of(user_id, &email).swap_remove(index);
        notifications.compose(&[event]).await;
    }
    assert_eq!(notifications.deliver_all().await, 0);
    let mails = notifications.mailbox.mails();
    assert_eq!(mails.len(), kinds * 2, "a welcome and one of each kind");
    for mail in &mails {
        let seen = format!("{} {} {}", mail.subject, mail.text, mail.html);
        for canary in [CANARY, "0900", "555", CHAIN] {
            assert!(!seen.contains(canary), "{canary} in {seen}");
        }
        assert!(mail.text.starts_with("Hello,\n"), "{}", mail.text);
    }
    // No template is left out.
    let sent: BTreeSet<String> = notifications.items().await.iter().map(template).collect();
    let sent: BTreeSet<String> = sent.iter().map(|name| name.replace('_', "-")).collect();
    assert_eq!(sent, templates());
}

fn template(item: &serde_json::Value) -> String {
    let message = &item["message"];
    let template = message.get("template").or(item.get("template"));
    template.and_then(|name| name.as_str()).unwrap().to_owned()
}

#[tokio::test]
async fn a_verified_address_is_greeted_by_name_and_another_of_the_account_is_not() {
    let notifications = TestNotifications::new().await;
    let greetings = async |verified_email: &str| {
        let (user_id, email) = (new_id(), "ada@example.com");
        notifications.compose(&account_of(user_id, email)).await;
        let verified = verified(user_id, verified_email);
        notifications.compose(&[verified]).await;
        let reopened = event(&UserReactivated { user_id }, 3);
        notifications.compose(&[reopened]).await;
        assert_eq!(notifications.deliver_all().await, 0);
        let mails = notifications.mailbox.mails();
        let mail = mails
            .iter()
            .rfind(|mail| mail.subject.contains("open again"));
        mail.unwrap().text.contains(CANARY)
    };
    assert!(greetings("ada@example.com").await);
    assert!(!greetings("other@example.com").await);
}

#[tokio::test]
async fn a_link_followed_outside_a_session_verifies_nothing_for_a_stranger() {
    let notifications = TestNotifications::new().await;
    // `None` is an event from before this was recorded.
    for (proven, expected) in [(Some(false), false), (Some(true), true), (None, true)] {
        let user_id = new_id();
        let email = format!("{proven:?}@example.com");
        notifications.compose(&account_of(user_id, &email)).await;
        let data = UserEmailVerified {
            user_id,
            email: email.clone(),
            proven,
        };
        notifications.compose(&[event(&data, 5)]).await;
        let is_verified = notifications.store.is_verified(user_id, &email).await;
        assert_eq!(is_verified.unwrap(), expected, "{proven:?}");
    }
    // An address that was proven stays verified.
    let (user_id, email) = (new_id(), "ada@example.com");
    for proven in [Some(true), Some(false)] {
        let email = email.to_owned();
        let data = UserEmailVerified {
            user_id,
            email,
            proven,
        };
        notifications.compose(&[event(&data, 5)]).await;
    }
    assert!(
        notifications
            .store
            .is_verified(user_id, email)
            .await
            .unwrap()
    );
}
