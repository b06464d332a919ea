//! A user who does not want email gets none about orders, but all about the
//! account.

use contracts::events::{UserPasswordChanged, UserPasswordResetRequested};
use kernel::{Role, UserId};
use testkit::status::OK;

use crate::{
    events::{confirmed, email_preference, event, payment_failed, registered, updated},
    fixture::{EMAIL, TestNotifications, at, seal_key},
};

#[tokio::test]
async fn an_unwanted_email_about_an_order_is_listed_but_not_sent() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    notifications
        .compose(&[registered(user_id), email_preference(user_id, false, at(1))])
        .await;
    let orders = [confirmed(user_id), payment_failed(user_id, "card_declined")];
    // Each event twice makes one notification.
    notifications.compose(&orders).await;
    notifications.compose(&orders).await;
    assert_eq!(notifications.deliver_all().await, 0);
    assert_eq!(
        notifications.statuses().await,
        ["sent", "suppressed", "suppressed"],
        "the verification, then those about orders"
    );
    assert_eq!(notifications.mailbox.mails().len(), 1);
    assert_eq!(
        notifications.table.events().await.len(),
        1,
        "nothing else is queued"
    );
    let client = notifications.client().as_user(user_id, Role::User);
    let reply = client.get("/api/notifications", OK).await;
    let listed = &reply.body["data"][1];
    assert_eq!(listed["status"], "suppressed");
    assert_eq!(listed["title"], "Your order is confirmed");
}

#[tokio::test]
async fn an_email_about_the_account_is_sent_regardless_of_preferences() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    notifications
        .compose(&[registered(user_id), email_preference(user_id, false, at(1))])
        .await;
    let reset = UserPasswordResetRequested {
        user_id,
        email: EMAIL.into(),
        sealed_token: seal_key().seal("token").unwrap(),
    };
    let changed = UserPasswordChanged {
        user_id,
        email: EMAIL.into(),
    };
    notifications
        .compose(&[event(&reset, at(2)), event(&changed, at(3))])
        .await;
    assert_eq!(notifications.deliver_all().await, 0);
    assert_eq!(notifications.statuses().await, ["sent", "sent", "sent"]);
}

#[tokio::test]
async fn the_latest_preference_applies_and_earlier_decisions_stand() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    // Ids sort by creation, so the account comes first.
    let account = registered(user_id);
    let (unwanted, wanted) = (
        email_preference(user_id, false, at(1)),
        email_preference(user_id, true, at(2)),
    );
    let (first, second) = (confirmed(user_id), confirmed(user_id));
    notifications
        .compose(&[account, unwanted.clone(), first.clone()])
        .await;
    // The older preference is redelivered after the newer one.
    notifications
        .compose(&[wanted, unwanted, first, second.clone()])
        .await;
    let orders = &notifications.statuses().await[1..];
    assert_eq!(orders, ["suppressed", "queued"]);
    notifications
        .compose(&[email_preference(user_id, false, at(3)), second])
        .await;
    assert_eq!(notifications.deliver_all().await, 0);
    assert_eq!(notifications.statuses().await[1..], ["suppressed", "sent"]);
}

#[tokio::test]
async fn a_user_without_preferences_gets_email() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    notifications
        .compose(&[registered(user_id), updated(user_id, EMAIL, at(1))])
        .await;
    notifications.compose(&[confirmed(user_id)]).await;
    assert_eq!(notifications.statuses().await, ["queued", "queued"]);
}
