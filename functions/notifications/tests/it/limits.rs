//! Limits on emails to one address.

use contracts::events::UserPasswordChanged;
use kernel::{SignedDuration, UserId};

use crate::{
    events::{confirmed, event, payment_failed, registered, verified},
    fixture::{EMAIL, TestNotifications, at},
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
async fn emails_about_orders_are_limited_and_leave_room_for_those_about_the_account() {
    let (notifications, user_id) = user().await;
    notifications.compose(&[verified(user_id, EMAIL)]).await;
    for _ in 0..40 {
        notifications.compose(&[confirmed(user_id)]).await;
    }
    assert_eq!(counts(&notifications).await, (11, 30));
    let email = || EMAIL.to_owned();
    for _ in 0..25 {
        let email = email();
        let changed = event(&UserPasswordChanged { user_id, email }, at(20));
        notifications.compose(&[changed]).await;
    }
    assert_eq!(counts(&notifications).await, (30, 36), "30 of all kinds");
    let clock = notifications.table.clock();
    clock.advance(SignedDuration::from_hours(2));
    notifications.compose(&[confirmed(user_id)]).await;
    assert_eq!(counts(&notifications).await, (31, 36));
}

#[tokio::test]
async fn nothing_of_a_verified_address_is_left_after_erasure() {
    let (notifications, user_id) = user().await;
    let erased = event(&contracts::events::UserErased { user_id }, at(30));
    let late = verified(user_id, EMAIL);
    notifications.compose(&[late.clone(), erased, late]).await;
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
