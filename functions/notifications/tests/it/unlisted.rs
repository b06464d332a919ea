//! Emails to new addresses do not show in the lists of the account that requested them:
//! there is none if somebody else has the address.

use contracts::{
    Envelope,
    calls::{ExportNotifications, ExportedNotifications},
    events::{UserErased, UserVerificationRequested},
};
use kernel::{Role, UserId};
use serde_json::Value;
use testkit::status::OK;

use crate::{
    events::{confirmed, event, registered},
    fixture::{EMAIL, TestNotifications, at, seal_key},
};

fn requested(user_id: UserId, email: &str, replaces_current: Option<bool>) -> Envelope {
    let data = UserVerificationRequested {
        user_id,
        email: email.into(),
        sealed_token: seal_key().seal("token").unwrap(),
        replaces_current,
    };
    event(&data, at(5))
}

/// All that the user sees, on a page and on pages of one.
async fn seen(notifications: &TestNotifications, user_id: UserId) -> (Value, Vec<Value>, usize) {
    let client = notifications.client().as_user(user_id, Role::User);
    let whole = client.get("/api/notifications", OK).await.body["data"].clone();
    let (mut pages, mut query) = (Vec::new(), "?limit=1".to_owned());
    loop {
        let reply = client.get(&format!("/api/notifications{query}"), OK).await;
        pages.push(reply.body["data"].clone());
        let pagination = &reply.body["meta"]["pagination"];
        let Some(cursor) = pagination["nextCursor"].as_str() else {
            break;
        };
        query = format!("?limit=1&cursor={cursor}");
    }
    let call = ExportNotifications {
        user_id,
        after: None,
        correlation_id: "export-1".into(),
    };
    let function = notifications.function("export-notifications").await;
    let page: ExportedNotifications = testkit::call(&function, &call).await.unwrap();
    (whole, pages, page.notifications.len())
}

#[tokio::test]
async fn an_email_to_a_new_address_is_sent_and_shows_nowhere() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    notifications
        .compose(&[registered(user_id), confirmed(user_id)])
        .await;
    assert_eq!(notifications.deliver_all().await, 0);
    let before = seen(&notifications, user_id).await;
    // More than the limit of an address: those that are suppressed do not show either.
    for _ in 0..25 {
        let to_new = requested(user_id, "free@example.com", Some(true));
        notifications.compose(&[to_new.clone(), to_new]).await;
    }
    assert_eq!(notifications.deliver_all().await, 0);
    assert_eq!(notifications.deliver_all().await, 0, "and only once");
    assert_eq!(seen(&notifications, user_id).await, before);
    let mails = notifications.mailbox.mails();
    let sent = mails.iter().filter(|mail| mail.to == "free@example.com");
    assert!((1..=20).contains(&sent.count()), "limited, and sent");
    // A repeated email to the account's address shows.
    let to_current = requested(user_id, EMAIL, None);
    notifications.compose(&[to_current]).await;
    assert_eq!(seen(&notifications, user_id).await.1.len(), 3);
}

#[tokio::test]
async fn unlisted_emails_are_erased_with_their_user() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    let to_new = requested(user_id, "free@example.com", Some(true));
    notifications
        .compose(&[registered(user_id), to_new.clone()])
        .await;
    let erased = event(&UserErased { user_id }, at(99));
    notifications.compose(&[erased, to_new]).await;
    let left = format!("{:?}", notifications.table.items().await);
    assert!(
        !left.contains("UNLISTED#") && !left.contains("free@example.com"),
        "{left}"
    );
    assert_eq!(notifications.deliver_all().await, 0);
    assert!(notifications.mailbox.mails().is_empty());
}
