use kernel::{Role, UserId};
use serde_json::Value;
use testkit::status::{FORBIDDEN, OK, UNAUTHORIZED, UNPROCESSABLE_ENTITY};

use crate::{
    events::{confirmed, payment_failed, registered},
    fixture::TestNotifications,
};

fn types(body: &Value) -> Vec<&str> {
    let data = body["data"].as_array().unwrap();
    data.iter()
        .map(|item| item["type"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn users_see_only_their_own_notifications_newest_first() {
    let notifications = TestNotifications::new().await;
    let (ada, bo): (UserId, UserId) = (testkit::new_id(), testkit::new_id());
    // Ids sort by creation, so the accounts come first.
    let accounts = [registered(ada), registered(bo)];
    let order = confirmed(ada);
    notifications.compose(&accounts).await;
    notifications.compose(std::slice::from_ref(&order)).await;
    assert_eq!(notifications.deliver_all().await, 0);
    let client = notifications.client();

    let reply = client.as_user(ada, Role::User);
    let reply = reply.get("/api/notifications", OK).await;
    assert_eq!(types(&reply.body), ["order_confirmed", "verify_email"]);
    assert_eq!(reply.body["meta"]["pagination"]["hasMore"], false);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let listed = &reply.body["data"][0];
    assert_eq!(listed["id"], order.id.to_string());
    assert_eq!(listed["orderId"], order.subject);
    assert_eq!(listed["title"], "Your order is confirmed");
    assert_eq!(
        listed["description"],
        "We received your payment of 100.00 USD."
    );
    assert_eq!(listed["channel"], "email");
    assert_eq!(listed["status"], "sent");
    assert_eq!(listed["createdAt"], "2026-11-21T10:00:10Z");
    assert_eq!(listed["settledAt"], "2026-11-21T10:00:00Z");
    // Contact data and tokens are not part of it.
    let body = reply.body.to_string();
    for internal in ["sealed", "email\":", "ada@", "correlation", "claim"] {
        assert!(!body.contains(internal), "{internal} in {body}");
    }

    let reply = client.as_user(bo, Role::Admin);
    let reply = reply.get("/api/notifications", OK).await;
    assert_eq!(types(&reply.body), ["verify_email"]);
    let reply = client.as_user(testkit::new_id(), Role::User);
    let reply = reply.get("/api/notifications", OK).await;
    assert!(types(&reply.body).is_empty());
}

#[tokio::test]
async fn pages_follow_each_other_and_end() {
    let notifications = TestNotifications::new().await;
    let ada: UserId = testkit::new_id();
    let mut events = vec![registered(ada)];
    events.extend((0..4).map(|_| payment_failed(ada, "card_declined")));
    notifications.compose(&events).await;
    let client = notifications.client().as_user(ada, Role::User);
    let (mut seen, mut path) = (Vec::new(), "/api/notifications?limit=2".to_owned());
    let mut sizes = Vec::new();
    loop {
        let reply = client.get(&path, OK).await;
        let data = reply.body["data"].as_array().unwrap();
        sizes.push(data.len());
        seen.extend(
            data.iter()
                .map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        let pagination = &reply.body["meta"]["pagination"];
        assert_eq!(pagination["limit"], 2);
        match pagination["nextCursor"].as_str() {
            Some(cursor) => path = format!("/api/notifications?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(sizes, [2, 2, 1]);
    let newest_first: Vec<_> = events.iter().rev().map(|e| e.id.to_string()).collect();
    assert_eq!(seen, newest_first);
    // A page that ends exactly where the list ends has no next.
    let reply = client.get("/api/notifications?limit=5", OK).await;
    assert_eq!(reply.body["meta"]["pagination"]["hasMore"], false);
}

#[tokio::test]
async fn a_cursor_is_valid_for_its_owner_only() {
    let notifications = TestNotifications::new().await;
    let ada: UserId = testkit::new_id();
    notifications
        .compose(&[registered(ada), confirmed(ada)])
        .await;
    let client = notifications.client();
    let reply = client.as_user(ada, Role::User);
    let reply = reply.get("/api/notifications?limit=1", OK).await;
    let cursor = reply.body["meta"]["pagination"]["nextCursor"].as_str();
    let path = format!("/api/notifications?cursor={}", cursor.unwrap());
    client.as_user(ada, Role::User).get(&path, OK).await;
    let other = client.as_user(testkit::new_id(), Role::User);
    let reply = other.get(&path, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.body["code"], "validation_failed");
    assert_eq!(reply.invalid_fields(), ["cursor"]);
}

#[tokio::test]
async fn an_invalid_query_names_the_parameter() {
    let notifications = TestNotifications::new().await;
    let client = notifications.client();
    let client = client.as_user(testkit::new_id(), Role::User);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("cursor=nonsense", "cursor"),
        ("colour=red", "colour"),
    ] {
        let path = format!("/api/notifications?{query}");
        let reply = client.get(&path, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.body["code"], "validation_failed", "{query}");
        assert_eq!(reply.invalid_fields(), [field], "{query}");
    }
}

#[tokio::test]
async fn only_a_signed_in_user_has_notifications() {
    let notifications = TestNotifications::new().await;
    let client = notifications.client();
    let reply = client.get("/api/notifications", UNAUTHORIZED).await;
    assert_eq!(reply.body["code"], "unauthenticated");
    let machine = client.as_internal();
    let reply = machine.get("/api/notifications", FORBIDDEN).await;
    assert_eq!(reply.body["code"], "forbidden");
}
