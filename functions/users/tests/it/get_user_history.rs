//! `GET /api/users/{id}/history`.

use kernel::UserId;
use kernel::Role;
use serde_json::{Value, json};
use testkit::status::*;

use crate::shop::{PASSWORD, Person, Shop};

fn path(person: &Person) -> String {
    format!("/api/users/{}/history", person.id)
}

fn types(entries: &[Value]) -> Vec<&str> {
    let types = entries.iter().map(|entry| entry["type"].as_str().unwrap());
    types.collect()
}

#[tokio::test]
async fn the_history_says_who_when_and_why_oldest_first() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let bob = shop.register("bob@example.com").await;
    shop.update(ada.id, &json!({"role": "moderator"}), OK).await;
    shop.update(bob.id, &json!({"role": "admin"}), OK).await;
    let reply = shop.history.as_internal().get(&path(&ada), OK).await;
    let entries = reply.body["data"].as_array().unwrap();
    assert_eq!(types(entries), ["user.registered", "user.updated"]);
    let events = shop.table.events().await;
    let updated = events
        .iter()
        .find(|event| event.id.to_string() == entries[1]["id"]);
    let updated = updated.unwrap();
    assert_eq!(
        entries[1],
        json!({
            "id": updated.id, "type": "user.updated", "at": "2026-01-01T00:00:00Z",
            "correlationId": updated.correlationid, "causationId": updated.causationid,
            "actor": "internal", "data": updated.data
        })
    );
    assert_eq!(entries[1]["data"]["role"], "moderator");
    assert_eq!(reply.body["meta"]["pagination"]["hasMore"], false);
}

#[tokio::test]
async fn no_token_is_in_it_sealed_or_not() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let body = json!({"email": "ada@example.com"});
    shop.resend
        .post("/api/auth/resend-verification", &body, ACCEPTED)
        .await;
    shop.forgot
        .post("/api/auth/forgot-password", &body, ACCEPTED)
        .await;
    let body = json!({"email": "new@example.com", "currentPassword": PASSWORD});
    ada.client(&shop.update_profile)
        .put("/api/users/profile", &body, OK)
        .await;
    let reply = shop.history.as_internal().get(&path(&ada), OK).await;
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
    for event in shop.table.events().await {
        let members = event.data.as_object().unwrap().iter();
        for (name, value) in members.filter(|(name, _)| name.contains("oken")) {
            sealed += 1;
            assert!(!shown.contains(value.as_str().unwrap()), "{name}");
        }
    }
    assert_eq!(sealed, 4, "each of them has a token");
}

#[tokio::test]
async fn pages_follow_each_other_and_a_cursor_is_of_one_history() {
    let shop = Shop::open().await;
    let (ada, bob) = (
        shop.register("ada@example.com").await,
        shop.register("bob@example.com").await,
    );
    for role in ["moderator", "user", "moderator", "user"] {
        shop.update(ada.id, &json!({ "role": role }), OK).await;
    }
    let internal = shop.history.as_internal();
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
            let others = path(&bob) + &query;
            internal.get(&others, UNPROCESSABLE_ENTITY).await;
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
async fn it_is_for_those_who_run_the_shop() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    ada.client(&shop.history).get(&path(&ada), FORBIDDEN).await;
    shop.history.get(&path(&ada), UNAUTHORIZED).await;
    let admin = shop
        .history
        .as_session(ada.id, ada.session_id(), Role::Admin);
    admin.get(&path(&ada), OK).await;
    let nobody = format!("/api/users/{}/history", testkit::new_id::<UserId>());
    admin.get(&nobody, NOT_FOUND).await;
    admin.get("/api/users/x/history", NOT_FOUND).await;
}
