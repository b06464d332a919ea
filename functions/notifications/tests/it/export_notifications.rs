//! What the service holds on a person, for the person.

use contracts::calls::{ExportNotifications, ExportedNotifications};
use kernel::{NotificationId, UserId};
use notifications::api::export_notifications;
use runtime::Handler;
use serde_json::Value;

use crate::desk::{Desk, EMAIL, confirmed, registered};

async fn ask(
    handler: &Handler,
    user_id: UserId,
    after: Option<NotificationId>,
) -> ExportedNotifications {
    let call = ExportNotifications {
        user_id,
        after,
        correlation_id: "export-1".into(),
    };
    testkit::call(handler, &call).await.unwrap()
}

#[tokio::test]
async fn a_person_gets_all_that_was_said_and_where_to() {
    let desk = Desk::open().await;
    let handler = desk.table.start(&export_notifications::function()).await;
    let (user_id, other) = (testkit::new_id::<UserId>(), testkit::new_id::<UserId>());
    desk.compose(&[registered(user_id), registered(other)])
        .await;
    for _ in 0..230 {
        desk.compose(&[confirmed(user_id)]).await;
    }
    let (mut all, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = ask(&handler, user_id, after).await;
        assert_eq!(page.contact.unwrap()["email"], EMAIL);
        all.extend(page.notifications);
        (after, pages) = (page.next, pages + 1);
        if after.is_none() {
            break;
        }
        assert!(pages < 10);
    }
    assert_eq!((all.len(), pages), (231, 3));
    let ids: std::collections::BTreeSet<&str> =
        all.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 231, "each once");
    let text = Value::from(all).to_string();
    assert!(!text.contains("sealed"), "no token");
}

#[tokio::test]
async fn nobody_has_nothing() {
    let desk = Desk::open().await;
    let handler = desk.table.start(&export_notifications::function()).await;
    let page = ask(&handler, testkit::new_id::<UserId>(), None).await;
    assert!(page.contact.is_none() && page.notifications.is_empty() && page.next.is_none());
}
