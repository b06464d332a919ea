use kernel::Role;
use kernel::UserId;
use notifications::api::list_notifications::function;
use serde_json::Value;
use testkit::{
    Client,
    status::{FORBIDDEN, OK, UNAUTHORIZED, UNPROCESSABLE_ENTITY},
};

use crate::desk::{Desk, confirmed, payment_failed, registered};

async fn client(desk: &Desk) -> Client {
    Client::new(desk.table.start(&function()).await)
}

fn types(body: &Value) -> Vec<&str> {
    let data = body["data"].as_array().unwrap();
    data.iter()
        .map(|one| one["type"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn people_see_what_they_were_told_newest_first_and_nobody_elses() {
    let desk = Desk::open().await;
    let (ada, bo) = (testkit::new_id::<UserId>(), testkit::new_id::<UserId>());
    // Ids sort by the time they were made, so accounts are made first.
    let accounts = [registered(ada), registered(bo)];
    let order = confirmed(ada);
    desk.compose(&accounts).await;
    desk.compose(std::slice::from_ref(&order)).await;
    assert_eq!(desk.deliver_all().await, 0);
    let client = client(&desk).await;

    let reply = client.as_user(ada, Role::User);
    let reply = reply.get("/api/notifications", OK).await;
    assert_eq!(types(&reply.body), ["order_confirmed", "verify_email"]);
    assert_eq!(reply.body["meta"]["pagination"]["hasMore"], false);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let told = &reply.body["data"][0];
    assert_eq!(told["id"], order.id.to_string());
    assert_eq!(told["orderId"], order.subject);
    assert_eq!(told["title"], "Your order is confirmed");
    assert_eq!(
        told["description"],
        "We received your payment of 100.00 USD."
    );
    assert_eq!(told["channel"], "email");
    assert_eq!(told["status"], "sent");
    assert_eq!(told["createdAt"], "2026-11-21T10:00:10Z");
    assert_eq!(told["settledAt"], "2026-11-21T10:00:00Z");
    // What a mail is made of stays inside.
    let shown = reply.body.to_string();
    for inside in ["sealed", "email\":", "ada@", "correlation", "claim"] {
        assert!(!shown.contains(inside), "{inside} in {shown}");
    }

    let reply = client.as_user(bo, Role::Admin);
    let reply = reply.get("/api/notifications", OK).await;
    assert_eq!(types(&reply.body), ["verify_email"]);
    let reply = client.as_user(testkit::new_id::<UserId>(), Role::User);
    let reply = reply.get("/api/notifications", OK).await;
    assert!(types(&reply.body).is_empty());
}

#[tokio::test]
async fn pages_follow_each_other_and_end() {
    let desk = Desk::open().await;
    let ada = testkit::new_id::<UserId>();
    let mut events = vec![registered(ada)];
    events.extend((0..4).map(|_| payment_failed(ada, "card_declined")));
    desk.compose(&events).await;
    let client = client(&desk).await.as_user(ada, Role::User);
    let (mut seen, mut path) = (Vec::new(), "/api/notifications?limit=2".to_owned());
    let mut sizes = Vec::new();
    loop {
        let reply = client.get(&path, OK).await;
        let data = reply.body["data"].as_array().unwrap();
        sizes.push(data.len());
        seen.extend(
            data.iter()
                .map(|one| one["id"].as_str().unwrap().to_owned()),
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
    // A page that ends where the list ends has no next.
    let reply = client.get("/api/notifications?limit=5", OK).await;
    assert_eq!(reply.body["meta"]["pagination"]["hasMore"], false);
}

#[tokio::test]
async fn a_cursor_is_good_for_its_owner_only() {
    let desk = Desk::open().await;
    let ada = testkit::new_id::<UserId>();
    desk.compose(&[registered(ada), confirmed(ada)]).await;
    let client = client(&desk).await;
    let reply = client.as_user(ada, Role::User);
    let reply = reply.get("/api/notifications?limit=1", OK).await;
    let cursor = reply.body["meta"]["pagination"]["nextCursor"].as_str();
    let path = format!("/api/notifications?cursor={}", cursor.unwrap());
    client.as_user(ada, Role::User).get(&path, OK).await;
    let other = client.as_user(testkit::new_id::<UserId>(), Role::User);
    let reply = other.get(&path, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.body["code"], "validation_failed");
    assert_eq!(reply.invalid_fields(), ["cursor"]);
}

#[tokio::test]
async fn a_query_that_is_wrong_names_what_is() {
    let desk = Desk::open().await;
    let client = client(&desk).await;
    let client = client.as_user(testkit::new_id::<UserId>(), Role::User);
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
async fn only_people_who_are_signed_in_have_notifications() {
    let desk = Desk::open().await;
    let client = client(&desk).await;
    let reply = client.get("/api/notifications", UNAUTHORIZED).await;
    assert_eq!(reply.body["code"], "unauthenticated");
    let machine = client.as_internal();
    let reply = machine.get("/api/notifications", FORBIDDEN).await;
    assert_eq!(reply.body["code"], "forbidden");
}
