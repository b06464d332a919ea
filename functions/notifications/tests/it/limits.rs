//! Limits on emails to one address.

use contracts::{
    Envelope,
    events::{
        UserDeactivated, UserEmailChanged, UserMfaDisabled, UserMfaEnabled, UserPasswordChanged,
        UserPasswordResetRequested, UserReactivated, UserRegistrationAttempted,
        UserVerificationRequested,
    },
};
use dynamo::Key;
use futures_util::future::join_all;
use kernel::{SignedDuration, UserId};
use serde_json::Value;

use crate::{
    events::{confirmed, event, payment_failed, registered, registered_as, updated, verified},
    fixture::{EMAIL, TestNotifications, at, seal_key},
};

/// A registered user, who has got one email.
async fn user() -> (TestNotifications, UserId) {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    notifications.compose(&[registered(user_id)]).await;
    (notifications, user_id)
}

/// The numbers of notifications that are sent and that are suppressed.
async fn counts(notifications: &TestNotifications) -> (usize, usize) {
    let statuses = notifications.statuses().await;
    let count = |status: &str| statuses.iter().filter(|have| *have == status).count();
    (count("queued"), count("suppressed"))
}

/// An event for each kind of notice about a change of the account.
fn notices(user_id: UserId, address: &str) -> Vec<Envelope> {
    let email = || address.to_owned();
    let (previous_email, erase_at) = (email(), Some(at(1_000)));
    vec![
        event(
            &UserPasswordChanged {
                user_id,
                email: email(),
            },
            at(20),
        ),
        event(
            &UserEmailChanged {
                user_id,
                previous_email,
            },
            at(20),
        ),
        event(
            &UserMfaEnabled {
                user_id,
                email: email(),
            },
            at(20),
        ),
        event(
            &UserMfaDisabled {
                user_id,
                email: email(),
            },
            at(20),
        ),
        event(&UserDeactivated { user_id, erase_at }, at(20)),
        event(&UserReactivated { user_id }, at(20)),
    ]
}

/// An event for each kind of email that anybody may request.
fn requests(user_id: UserId, address: &str) -> Vec<Envelope> {
    let email = || address.to_owned();
    let sealed_token = || seal_key().seal("token").unwrap();
    let verification = UserVerificationRequested {
        user_id,
        email: email(),
        sealed_token: sealed_token(),
        replaces_current: None,
    };
    let reset = UserPasswordResetRequested {
        user_id,
        email: email(),
        sealed_token: sealed_token(),
    };
    let attempted = UserRegistrationAttempted {
        user_id,
        email: email(),
    };
    vec![
        event(&verification, at(20)),
        event(&reset, at(20)),
        event(&attempted, at(20)),
    ]
}

#[tokio::test]
async fn declined_orders_in_a_row_send_one_email_to_an_unverified_address() {
    let (notifications, user_id) = user().await;
    for _ in 0..13 {
        let failed = payment_failed(user_id, "card_declined");
        // Twice, as a queue may deliver it.
        notifications.compose(&[failed.clone(), failed]).await;
    }
    assert_eq!(notifications.deliver_all().await, 0);
    let mails = notifications.mailbox.mails();
    assert_eq!(mails.len(), 2, "the verification and one failure");
    let (_, suppressed) = counts(&notifications).await;
    assert_eq!(suppressed, 12, "the user sees all of them in the list");
    // An order that was paid for is confirmed all the same.
    notifications.compose(&[confirmed(user_id)]).await;
    assert_eq!(counts(&notifications).await.0, 1);
}

#[tokio::test]
async fn another_account_with_the_address_sends_no_more_emails_to_it() {
    let (notifications, first) = user().await;
    let second: UserId = testkit::new_id();
    notifications.compose(&[registered(second)]).await;
    let failures = [first, second].map(|user| payment_failed(user, "card_declined"));
    notifications.compose(&failures).await;
    assert_eq!(counts(&notifications).await, (3, 1));
}

#[tokio::test]
async fn a_verified_address_gets_an_email_for_each_failed_order() {
    let (notifications, user_id) = user().await;
    notifications.compose(&[verified(user_id, EMAIL)]).await;
    for _ in 0..5 {
        let failed = payment_failed(user_id, "card_declined");
        notifications.compose(&[failed]).await;
    }
    assert_eq!(counts(&notifications).await, (6, 0));
}

#[tokio::test]
async fn another_verified_address_does_not_count() {
    let (notifications, user_id) = user().await;
    let other = verified(user_id, "other@example.com");
    notifications.compose(&[other]).await;
    for _ in 0..3 {
        let failed = payment_failed(user_id, "card_declined");
        notifications.compose(&[failed]).await;
    }
    assert_eq!(counts(&notifications).await, (2, 2));
}

#[tokio::test]
async fn a_paid_order_is_always_confirmed_at_a_verified_address() {
    let (notifications, user_id) = user().await;
    notifications.compose(&[verified(user_id, EMAIL)]).await;
    for _ in 0..40 {
        notifications.compose(&[confirmed(user_id)]).await;
    }
    assert_eq!(counts(&notifications).await, (41, 0));
}

#[tokio::test]
async fn confirmations_to_an_unverified_address_are_limited() {
    let (notifications, user_id) = user().await;
    for _ in 0..12 {
        notifications.compose(&[confirmed(user_id)]).await;
    }
    assert_eq!(counts(&notifications).await, (11, 2));
    let clock = notifications.table.clock();
    clock.advance(SignedDuration::from_hours(2));
    notifications.compose(&[confirmed(user_id)]).await;
    assert_eq!(counts(&notifications).await, (12, 2));
}

#[tokio::test]
async fn failed_orders_are_limited_and_leave_room_for_confirmations_and_the_account() {
    let (notifications, user_id) = user().await;
    notifications.compose(&[verified(user_id, EMAIL)]).await;
    for _ in 0..15 {
        let failed = payment_failed(user_id, "card_declined");
        notifications.compose(&[failed]).await;
    }
    assert_eq!(counts(&notifications).await, (11, 5));
    notifications.compose(&[confirmed(user_id)]).await;
    notifications.compose(&notices(user_id, EMAIL)).await;
    assert_eq!(counts(&notifications).await, (18, 5));
    let clock = notifications.table.clock();
    clock.advance(SignedDuration::from_mins(61));
    let failed = payment_failed(user_id, "card_declined");
    notifications.compose(&[failed]).await;
    assert_eq!(counts(&notifications).await, (19, 5));
}

#[tokio::test]
async fn one_kind_of_notice_silences_no_other_and_no_reset() {
    for index in 0..6 {
        let (notifications, user_id) = user().await;
        notifications.compose(&[verified(user_id, EMAIL)]).await;
        // What a thief repeats.
        for _ in 0..25 {
            let notice = notices(user_id, EMAIL).swap_remove(index);
            notifications.compose(&[notice]).await;
        }
        assert_eq!(counts(&notifications).await, (1 + 5, 20));
        let mut others = notices(user_id, EMAIL);
        others.remove(index);
        others.extend(requests(user_id, EMAIL));
        notifications.compose(&others).await;
        assert_eq!(counts(&notifications).await, (6 + 5 + 3, 20), "{index}");
    }
}

#[tokio::test]
async fn an_unverified_address_gets_each_kind_of_notice_once_a_day() {
    let (notifications, user_id) = user().await;
    for _ in 0..3 {
        notifications.compose(&notices(user_id, EMAIL)).await;
    }
    assert_eq!(counts(&notifications).await, (1 + 6, 12));
    // It can still be verified, and its password reset.
    notifications.compose(&requests(user_id, EMAIL)).await;
    assert_eq!(counts(&notifications).await, (7 + 3, 12));
    let clock = notifications.table.clock();
    clock.advance(SignedDuration::from_hours(25));
    notifications.compose(&notices(user_id, EMAIL)).await;
    assert_eq!(counts(&notifications).await, (10 + 6, 12));
}

#[tokio::test]
async fn tagged_addresses_get_one_email_about_failed_orders_together() {
    let (notifications, first) = user().await;
    for tag in 1..=3 {
        let user_id: UserId = testkit::new_id();
        let email = format!("Ada+{tag}@example.com");
        let account = registered_as(user_id, "Ada", &email, at(0));
        let failed = payment_failed(user_id, "card_declined");
        notifications.compose(&[account, failed]).await;
    }
    let failed = payment_failed(first, "card_declined");
    notifications.compose(&[failed]).await;
    assert_eq!(counts(&notifications).await, (4 + 1, 3));
}

#[tokio::test]
async fn accounts_at_tagged_addresses_are_limited_together_and_silence_no_owner() {
    let notifications = TestNotifications::new().await;
    for tag in 0..15 {
        let (user_id, email): (UserId, _) = (testkit::new_id(), format!("ada+{tag}@example.com"));
        let account = registered_as(user_id, "Ada", &email, at(0));
        notifications.compose(&[account]).await;
        notifications.compose(&requests(user_id, &email)[1..]).await;
        notifications.compose(&notices(user_id, &email)).await;
    }
    // Ten of each request, one of each notice.
    assert_eq!(counts(&notifications).await, (3 * 10 + 6, 3 * 5 + 6 * 14));
    // The owner of the plain address receives everything, verified or not; so
    // does one of a tagged address who has verified it.
    for (email, is_verified) in [
        (EMAIL, false),
        (EMAIL, true),
        ("ada+shop@example.com", true),
    ] {
        let (sent, suppressed) = counts(&notifications).await;
        let owner: UserId = testkit::new_id();
        let account = updated(owner, email, at(1));
        notifications.compose(&[account]).await;
        if is_verified {
            notifications.compose(&[verified(owner, email)]).await;
        }
        notifications.compose(&requests(owner, email)).await;
        notifications.compose(&notices(owner, email)).await;
        assert_eq!(counts(&notifications).await, (sent + 9, suppressed));
    }
}

#[tokio::test]
async fn a_plain_address_gets_ten_emails_of_each_request_an_hour_from_accounts_in_turn() {
    let notifications = TestNotifications::new().await;
    for _ in 0..12 {
        notifications
            .compose(&[registered(testkit::new_id())])
            .await;
    }
    assert_eq!(counts(&notifications).await, (10, 2));
}

#[tokio::test]
async fn an_address_that_was_verified_stays_so_for_warnings_in_any_order_of_events() {
    let (notifications, user_id) = user().await;
    let (old, new) = (
        verified(user_id, EMAIL),
        verified(user_id, "new@example.com"),
    );
    notifications.compose(&[old, new]).await;
    for _ in 0..2 {
        let email_changed = notices(user_id, EMAIL).swap_remove(1);
        notifications.compose(&[email_changed]).await;
    }
    assert_eq!(counts(&notifications).await, (3, 0));
}

#[tokio::test]
async fn an_event_that_is_repeated_after_a_crash_counts_once() {
    let (notifications, user_id) = user().await;
    let failed = payment_failed(user_id, "card_declined");
    notifications.compose(std::slice::from_ref(&failed)).await;
    // As if the function had ended between counting and writing.
    let table = notifications.table.table();
    let items = notifications.items().await;
    let [_, item] = &items[..] else {
        panic!("not two notifications: {items:?}");
    };
    let key = |name: &str| item[name].as_str().unwrap().to_owned();
    let key = Key::new(key("pk"), key("sk"));
    table.delete_many(vec![key]).await.unwrap();
    assert_eq!(counts(&notifications).await, (1, 0));
    notifications.compose(&[failed.clone(), failed]).await;
    assert_eq!(counts(&notifications).await, (2, 0));
    // Another one is over the limit.
    let another = payment_failed(user_id, "card_declined");
    notifications.compose(&[another]).await;
    assert_eq!(counts(&notifications).await, (2, 1));
}

#[tokio::test]
async fn concurrent_emails_do_not_exceed_their_limit() {
    let (notifications, user_id) = user().await;
    let composer = notifications.function("compose-notifications").await;
    let events: Vec<Envelope> = (0..4)
        .map(|_| payment_failed(user_id, "card_declined"))
        .collect();
    let concurrent = events
        .chunks(1)
        .map(|batch| testkit::deliver(&composer, batch));
    assert!(join_all(concurrent).await.concat().is_empty());
    assert_eq!(counts(&notifications).await, (2, 3));
}

#[tokio::test]
async fn what_counts_emails_contains_no_address_and_fits_into_one_write_unit() {
    let (notifications, user_id) = user().await;
    for _ in 0..12 {
        notifications.compose(&[confirmed(user_id)]).await;
    }
    let items = notifications.table.items().await.into_iter();
    let items = items.map(|item| serde_dynamo::from_item(item).unwrap());
    let is_count = |item: &Value| item["pk"].as_str().unwrap().starts_with("LIMIT#");
    let counts: Vec<Value> = items.filter(is_count).collect();
    assert_eq!(counts.len(), 2);
    for item in counts {
        let json = item.to_string();
        assert!(json.len() <= 1024 && !json.contains("example"), "{json}");
        assert!(item["expires_at"].is_number(), "{json}");
    }
}

#[tokio::test]
async fn nothing_of_a_verified_address_is_left_after_erasure() {
    let (notifications, user_id) = user().await;
    let erased = event(&contracts::events::UserErased { user_id }, at(30));
    let late = verified(user_id, EMAIL);
    let other = verified(user_id, "other@example.com");
    let events = [other, late.clone(), erased, late];
    notifications.compose(&events).await;
    let items = notifications.table.items().await;
    let items = items.iter().map(|item| format!("{item:?}"));
    let of_user: Vec<String> = items
        .filter(|item| item.contains(&user_id.to_string()))
        .collect();
    assert!(
        of_user.iter().all(|item| !item.contains("VERIFIED")),
        "{of_user:?}"
    );
}
