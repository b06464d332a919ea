//! Seeing and ending one's sessions, and how many there may be.

use futures_util::future::join_all;
use jiff::SignedDuration;
use kernel::SessionId;
use serde_json::{Value, json};
use testkit::status::*;

use crate::shop::{PASSWORD, Person, Shop};

async fn list(shop: &Shop, person: &Person) -> Vec<Value> {
    let reply = person
        .client(&shop.list_sessions)
        .get("/api/users/sessions", OK)
        .await;
    reply.body["data"].as_array().unwrap().clone()
}

async fn log_in(shop: &Shop, device: &str) -> Person {
    let client = shop.log_in.with_header("user-agent", device);
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    Person::of(&client.post("/api/auth/login", &body, OK).await)
}

#[tokio::test]
async fn a_person_sees_where_they_are_signed_in_and_nothing_secret() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    shop.register("bob@example.com").await;
    shop.clock.advance(SignedDuration::from_hours(1));
    let phone = log_in(&shop, "Phone/1.0").await;
    let ada = Person::of(&shop.refresh(&ada.refresh, OK).await);
    let sessions = list(&shop, &ada).await;
    assert_eq!(
        sessions,
        [
            json!({
                "id": phone.session_id(), "createdAt": "2026-01-01T01:00:00Z",
                "lastUsedAt": "2026-01-01T01:00:00Z", "endsAt": "2026-01-15T01:00:00Z",
                "ip": "203.0.113.7", "device": "Phone/1.0", "mfa": false, "current": false
            }),
            json!({
                "id": ada.session_id(), "createdAt": "2026-01-01T00:00:00Z",
                "lastUsedAt": "2026-01-01T01:00:00Z", "endsAt": "2026-01-15T01:00:00Z",
                "ip": "203.0.113.7", "device": null, "mfa": false, "current": true
            }),
        ]
    );
    shop.clock.advance(SignedDuration::from_hours(14 * 24));
    let desk = log_in(&shop, "Desk").await;
    assert_eq!(
        list(&shop, &desk).await.len(),
        1,
        "those that are over are not shown"
    );
}

#[tokio::test]
async fn a_session_that_is_ended_is_over_at_once() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let phone = log_in(&shop, "Phone").await;
    let path = format!("/api/users/sessions/{}", phone.session_id());
    ada.client(&shop.end_session).delete(&path, OK).await;
    assert_eq!(shop.verdict(&phone.token).await, "session_ended");
    shop.refresh(&phone.refresh, UNAUTHORIZED).await;
    ada.client(&shop.end_session).delete(&path, NOT_FOUND).await;
    assert_eq!(list(&shop, &ada).await.len(), 1);
}

#[tokio::test]
async fn nobody_ends_the_session_of_somebody_else() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let bob = shop.register("bob@example.com").await;
    let path = format!("/api/users/sessions/{}", bob.session_id());
    let client = ada.client(&shop.end_session);
    client.delete(&path, NOT_FOUND).await;
    client
        .delete(
            &format!("/api/users/sessions/{}", testkit::new_id::<SessionId>()),
            NOT_FOUND,
        )
        .await;
    client.delete("/api/users/sessions/x", NOT_FOUND).await;
    shop.end_session.delete(&path, UNAUTHORIZED).await;
    assert_eq!(shop.verdict(&bob.token).await, "user");
}

#[tokio::test]
async fn a_twenty_first_session_ends_the_oldest_also_when_many_begin_at_once() {
    let shop = Shop::open().await;
    let oldest = shop.register("ada@example.com").await;
    let mut last = None;
    for _ in 0..19 {
        shop.clock.advance(SignedDuration::from_secs(1));
        last = Some(log_in(&shop, "Phone").await);
    }
    let last = last.unwrap();
    assert_eq!(list(&shop, &last).await.len(), 20);
    assert_eq!(shop.verdict(&oldest.token).await, "user");
    shop.clock.advance(SignedDuration::from_secs(1));
    log_in(&shop, "Phone").await;
    assert_eq!(shop.verdict(&oldest.token).await, "session_ended");
    assert_eq!(list(&shop, &last).await.len(), 20);
    join_all((0..5).map(|_| log_in(&shop, "Phone"))).await;
    assert_eq!(list(&shop, &last).await.len(), 20);
    assert_eq!(shop.sessions().await.len(), 20);
    assert_eq!(
        shop.verdict(&last.token).await,
        "user",
        "not among the oldest"
    );
}
