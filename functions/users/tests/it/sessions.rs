//! `GET /api/users/sessions`, `DELETE /api/users/sessions/{id}`, and the limit of sessions.

use futures_util::future::join_all;
use kernel::{SessionId, SignedDuration};
use serde_json::{Value, json};
use testkit::status::*;

use crate::fixture::{PASSWORD, Person, TestUsers};

async fn list(users: &TestUsers, person: &Person) -> Vec<Value> {
    let reply = users.client_of(person).get("/api/users/sessions", OK).await;
    reply.body["data"].as_array().unwrap().clone()
}

async fn log_in(users: &TestUsers, device: &str) -> Person {
    let client = users.client().with_header("user-agent", device);
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    Person::of(&client.post("/api/auth/login", &body, OK).await)
}

#[tokio::test]
async fn users_see_their_sessions_without_secrets() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users.register("bob@example.com").await;
    users.advance(SignedDuration::from_hours(1));
    let phone = log_in(&users, "Phone/1.0").await;
    let ada = Person::of(&users.refresh(&ada.refresh, OK).await);
    let sessions = list(&users, &ada).await;
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
    users.advance(SignedDuration::from_hours(14 * 24));
    let tablet = log_in(&users, "Tablet").await;
    let sessions = list(&users, &tablet).await;
    assert_eq!(sessions.len(), 1, "those that have ended are not shown");
}

#[tokio::test]
async fn ending_a_session_takes_effect_at_once() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let phone = log_in(&users, "Phone").await;
    let path = format!("/api/users/sessions/{}", phone.session_id());
    users.client_of(&ada).delete(&path, OK).await;
    assert_eq!(users.authorize(&phone.token).await, "session_ended");
    users.refresh(&phone.refresh, UNAUTHORIZED).await;
    users.client_of(&ada).delete(&path, NOT_FOUND).await;
    assert_eq!(list(&users, &ada).await.len(), 1);
}

#[tokio::test]
async fn a_user_cannot_end_another_users_session() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let bob = users.register("bob@example.com").await;
    let path = format!("/api/users/sessions/{}", bob.session_id());
    let client = users.client_of(&ada);
    client.delete(&path, NOT_FOUND).await;
    let unknown: SessionId = testkit::new_id();
    let unknown = format!("/api/users/sessions/{unknown}");
    client.delete(&unknown, NOT_FOUND).await;
    client.delete("/api/users/sessions/x", NOT_FOUND).await;
    users.client().delete(&path, UNAUTHORIZED).await;
    assert_eq!(users.authorize(&bob.token).await, "user");
}

#[tokio::test]
async fn a_twenty_first_session_ends_the_oldest_even_when_several_begin_concurrently() {
    let users = TestUsers::new().await;
    let oldest = users.register("ada@example.com").await;
    let mut last = None;
    for _ in 0..19 {
        users.advance(SignedDuration::from_secs(1));
        last = Some(log_in(&users, "Phone").await);
    }
    let last = last.unwrap();
    assert_eq!(list(&users, &last).await.len(), 20);
    assert_eq!(users.authorize(&oldest.token).await, "user");
    users.advance(SignedDuration::from_secs(1));
    log_in(&users, "Phone").await;
    assert_eq!(users.authorize(&oldest.token).await, "session_ended");
    assert_eq!(list(&users, &last).await.len(), 20);
    join_all((0..5).map(|_| log_in(&users, "Phone"))).await;
    assert_eq!(list(&users, &last).await.len(), 20);
    assert_eq!(users.sessions().await.len(), 20);
    assert_eq!(
        users.authorize(&last.token).await,
        "user",
        "it is not among the oldest"
    );
}
