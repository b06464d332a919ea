//! How long messages stay.

use crate::{
    events::{confirmed, registered},
    fixture::TestNotifications,
};

#[tokio::test]
async fn a_message_stays_for_two_years_whether_or_not_it_was_sent() {
    let notifications = TestNotifications::new().await;
    let user_id = testkit::new_id();
    let events = [registered(user_id), confirmed(user_id)];
    notifications.compose(&events).await;
    let items = notifications.items().await;
    assert_eq!(items.len(), 2);
    for item in &items {
        let created_ms = item["created_at"].as_i64().unwrap();
        let expires = item["expires_at"].as_i64().unwrap();
        assert_eq!((expires - created_ms / 1_000) / 86_400, 2 * 366);
    }
    notifications.deliver_all().await;
    for (before, after) in items.iter().zip(notifications.items().await) {
        assert_eq!(after["expires_at"], before["expires_at"], "{after}");
    }
}
