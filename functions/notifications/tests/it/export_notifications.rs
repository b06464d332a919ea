use std::collections::BTreeSet;

use contracts::calls::{ExportNotifications, ExportedNotifications};
use kernel::{NotificationId, UserId};
use serde_json::Value;

use crate::{
    events::{confirmed, registered},
    fixture::{EMAIL, TestNotifications},
};

async fn export(
    notifications: &TestNotifications,
    user_id: UserId,
    after: Option<NotificationId>,
) -> ExportedNotifications {
    let call = ExportNotifications {
        user_id,
        after,
        correlation_id: "export-1".into(),
    };
    let function = notifications.function("export-notifications").await;
    testkit::call(&function, &call).await.unwrap()
}

#[tokio::test]
async fn an_export_contains_contact_and_every_notification_once() {
    let notifications = TestNotifications::new().await;
    let (user_id, other): (UserId, UserId) = (testkit::new_id(), testkit::new_id());
    notifications
        .compose(&[registered(user_id), registered(other)])
        .await;
    for _ in 0..230 {
        notifications.compose(&[confirmed(user_id)]).await;
    }
    let (mut all, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = export(&notifications, user_id, after).await;
        assert_eq!(page.contact.unwrap()["email"], EMAIL);
        all.extend(page.notifications);
        (after, pages) = (page.next, pages + 1);
        if after.is_none() {
            break;
        }
        assert!(pages < 10);
    }
    assert_eq!((all.len(), pages), (231, 3));
    let ids: BTreeSet<&str> = all
        .iter()
        .map(|view| view["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 231, "each once");
    let text = Value::from(all).to_string();
    assert!(!text.contains("sealed"), "no token");
}

#[tokio::test]
async fn the_export_of_an_unknown_user_is_empty() {
    let notifications = TestNotifications::new().await;
    let page = export(&notifications, testkit::new_id(), None).await;
    assert!(page.contact.is_none() && page.notifications.is_empty() && page.next.is_none());
}
