//! `GET /api/users/{id}/history`.

use kernel::UserId;
use serde_json::{Value, json};
use testkit::status::*;

use crate::fixture::{PASSWORD, Person, TestUsers};

fn path(person: &Person) -> String {
    format!("/api/users/{}/history", person.id)
}

fn types(entries: &[Value]) -> Vec<&str> {
    let types = entries.iter().map(|entry| entry["type"].as_str().unwrap());
    types.collect()
}

#[tokio::test]
async fn the_history_lists_actor_time_and_cause_oldest_first() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let bob = users.register("bob@example.com").await;
    users
        .update(ada.id, &json!({"role": "moderator"}), OK)
        .await;
    users.update(bob.id, &json!({"role": "admin"}), OK).await;
    let reply = users.internal_client().get(&path(&ada), OK).await;
    let entries = reply.body["data"].as_array().unwrap();
    assert_eq!(types(entries), ["user.registered", "user.updated"]);
    let events = users.table.events().await;
    let updated = events
        .iter()
        .find(|event| event.id.to_string() == entries[1]["id"]);
    let updated = updated.unwrap();
    assert_eq!(
        entries[1],
        json!({
            "id": updated.id, "type": "user.updated", "at": "2026-01-01T00:00:00Z",
            "correlationId": updated.correlationid, "causationId": updated.causationid,
            "actor": "internal", "sourceIp": "203.0.113.7", "data": updated.data
        })
    );
    assert_eq!(entries[1]["data"]["role"], "moderator");
    assert_eq!(reply.body["meta"]["pagination"]["hasMore"], false);
}

#[tokio::test]
async fn the_ids_of_a_client_stand_beside_ours() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let admin = users
        .admin_client(&ada)
        .with_header("x-request-id", "ticket-1")
        .with_header("x-correlation-id", "shift-2");
    let bob = users.register("bob@example.com").await;
    let change = json!({"role": "moderator"});
    let user = format!("/api/users/{}", bob.id);
    let updated = admin.patch(&user, &change, OK).await;
    let reply = users.internal_client().get(&path(&bob), OK).await;
    let entry = &reply.body["data"][1];
    let id = updated.header("x-request-id").unwrap();
    assert_eq!(
        [&entry["causationId"], &entry["correlationId"]],
        [id; 2],
        "{entry}"
    );
    assert_eq!(entry["clientRequestId"], "ticket-1");
    assert_eq!(entry["clientCorrelationId"], "shift-2");
    // A person's address is not recorded.
    assert_eq!(entry["sourceIp"], Value::Null);
}

#[tokio::test]
async fn an_act_of_a_machine_says_from_where() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let machine = users.internal_client().from_ip("2001:db8::7");
    let user = format!("/api/users/{}", ada.id);
    machine
        .patch(&user, &json!({"role": "moderator"}), OK)
        .await;
    let entries = machine.get(&path(&ada), OK).await.body["data"].clone();
    assert_eq!(entries[0]["sourceIp"], Value::Null, "{entries}");
    assert_eq!(entries[1]["sourceIp"], "2001:db8::7", "{entries}");
}

#[tokio::test]
async fn the_history_contains_no_token_sealed_or_not() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let body = json!({"email": "ada@example.com"});
    users
        .client()
        .post("/api/auth/resend-verification", &body, ACCEPTED)
        .await;
    users.request_password_reset("ada@example.com").await;
    let body = json!({"email": "new@example.com", "currentPassword": PASSWORD});
    users.update_profile(&ada, &body, OK).await;
    let reply = users.internal_client().get(&path(&ada), OK).await;
    let entries = reply.body["data"].as_array().unwrap();
    assert_eq!(
        types(entries),
        [
            "user.registered",
            "user.verification_requested",
            "user.password_reset_requested",
            "user.verification_requested",
        ]
    );
    let shown = reply.body.to_string();
    assert!(!shown.to_lowercase().contains("sealed"), "{shown}");
    let mut sealed = 0;
    for event in users.table.events().await {
        let members = event.data.as_object().unwrap().iter();
        for (name, value) in members.filter(|(name, _)| name.contains("oken")) {
            sealed += 1;
            assert!(!shown.contains(value.as_str().unwrap()), "{name}");
        }
    }
    assert_eq!(sealed, 4, "one in each event");
}

#[tokio::test]
async fn pages_are_complete_and_a_cursor_is_valid_for_one_history_only() {
    let users = TestUsers::new().await;
    let (ada, bob) = (
        users.register("ada@example.com").await,
        users.register("bob@example.com").await,
    );
    for role in ["moderator", "user", "moderator", "user"] {
        users.update(ada.id, &json!({ "role": role }), OK).await;
    }
    let internal = users.internal_client();
    let whole = internal.get(&path(&ada), OK).await.body["data"].clone();
    assert_eq!(whole.as_array().unwrap().len(), 5);
    for limit in [1, 2, 5, 100] {
        let (mut seen, mut query) = (Vec::new(), format!("?limit={limit}"));
        loop {
            let reply = internal.get(&(path(&ada) + &query), OK).await;
            seen.extend(reply.body["data"].as_array().unwrap().clone());
            let Some(next) = reply.body["meta"]["pagination"]["nextCursor"].as_str() else {
                break;
            };
            query = format!("?limit={limit}&cursor={next}");
            let of_bob = path(&bob) + &query;
            internal.get(&of_bob, UNPROCESSABLE_ENTITY).await;
        }
        assert_eq!(json!(seen), whole, "{limit}");
    }
    for query in ["?limit=101", "?limit=0", "?cursor=x", "?page=2"] {
        internal
            .get(&(path(&ada) + query), UNPROCESSABLE_ENTITY)
            .await;
    }
}

#[tokio::test]
async fn only_admins_and_internal_callers_can_read_a_history() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users.client_of(&ada).get(&path(&ada), FORBIDDEN).await;
    users.client().get(&path(&ada), UNAUTHORIZED).await;
    let admin = users.admin_client(&ada);
    admin.get(&path(&ada), OK).await;
    let nobody = format!("/api/users/{}/history", testkit::new_id::<UserId>());
    admin.get(&nobody, NOT_FOUND).await;
    admin.get("/api/users/x/history", NOT_FOUND).await;
}
