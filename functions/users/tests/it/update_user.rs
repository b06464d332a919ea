//! `PATCH /api/users/{id}`.

use contracts::events::{Preferences, UserUpdated};
use futures_util::future::join_all;
use kernel::{Role, UserId};
use serde_json::json;
use testkit::status::*;

use crate::fixture::{PASSWORD, TestUsers};

#[tokio::test]
async fn a_new_role_applies_to_the_next_request() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    for role in ["admin", "moderator", "user"] {
        let reply = users.update(ada.id, &json!({ "role": role }), OK).await;
        assert_eq!(
            (&reply.body["data"]["role"], &reply.body["data"]["id"]),
            (&json!(role), &json!(ada.id))
        );
        let headers = json!({"authorization": format!("Bearer {}", ada.token)});
        let context = users.authorizer_context(&headers).await;
        assert_eq!(
            (&context["kind"], &context["role"]),
            (&json!("user"), &json!(role))
        );
    }
}

#[tokio::test]
async fn suspending_an_account_ends_its_sessions_for_good() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users
        .update(ada.id, &json!({"status": "suspended"}), OK)
        .await;
    assert_eq!(users.authorize(&ada.token).await, "account_inactive");
    users
        .log_in("ada@example.com", PASSWORD, UNAUTHORIZED)
        .await;
    users.update(ada.id, &json!({"status": "active"}), OK).await;
    assert_eq!(users.authorize(&ada.token).await, "session_ended");
    users.log_in("ada@example.com", PASSWORD, OK).await;
}

#[tokio::test]
async fn each_change_is_published_once_and_no_change_is_not_published() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let change = json!({"role": "moderator", "status": "inactive"});
    for _ in 0..3 {
        let reply = users.update(ada.id, &change, OK).await;
        assert_eq!(reply.body["data"]["status"], "inactive");
    }
    assert_eq!(
        users.table.event_types().await,
        ["user.registered", "user.updated"]
    );
    let event = &users.table.events().await[1];
    assert_eq!(event.actor, "internal");
    let expected = UserUpdated {
        user_id: ada.id,
        email: "ada@example.com".into(),
        name: "Ada Lovelace".into(),
        role: "moderator".into(),
        status: "inactive".into(),
        preferences: Some(Preferences {
            email: true,
            sms: false,
            push: true,
            marketing: false,
        }),
    };
    assert_eq!(event.read::<UserUpdated>().unwrap(), expected);
}

#[tokio::test]
async fn concurrent_changes_are_all_kept() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let (role, status) = (json!({"role": "admin"}), json!({"status": "pending"}));
    let changes = [&role, &status, &role, &status];
    join_all(changes.map(|change| users.update(ada.id, change, OK))).await;
    let user = users.stored_users().await.remove(0);
    let now = (&user["role"], &user["status"], &user["version"]);
    assert_eq!(now, (&json!("admin"), &json!("pending"), &json!(3)));
    assert_eq!(users.table.events().await.len(), 3);
}

#[tokio::test]
async fn storing_a_change_is_idempotent_and_a_stale_one_is_rejected() {
    use users::{domain::UserChange, store::UpdateUserError};
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let store = users.store();
    let user = users.user(ada.id).await;
    let to = |role| {
        user.changed(UserChange {
            role: Some(role),
            status: None,
        })
        .unwrap()
    };
    let event = || {
        users.table.event(&UserUpdated {
            user_id: ada.id,
            email: String::new(),
            name: String::new(),
            role: String::new(),
            status: String::new(),
            preferences: None,
        })
    };
    let first = event();
    store.update_user(&to(Role::Admin), &first).await.unwrap();
    store.update_user(&to(Role::Admin), &first).await.unwrap();
    let stale = store.update_user(&to(Role::Moderator), &event()).await;
    assert!(matches!(stale, Err(UpdateUserError::Conflict)), "{stale:?}");
    let now = users.user(ada.id).await;
    assert_eq!((now.role, now.version), (Role::Admin, 2));
    assert_eq!(users.table.events().await.len(), 2);
}

#[tokio::test]
async fn only_admins_and_internal_callers_can_update_a_user() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let path = format!("/api/users/{}", ada.id);
    let change = json!({"role": "admin"});
    users.client().patch(&path, &change, UNAUTHORIZED).await;
    let person = |role| users.client().as_user(ada.id, role);
    person(Role::User).patch(&path, &change, FORBIDDEN).await;
    person(Role::Moderator)
        .patch(&path, &change, FORBIDDEN)
        .await;
    assert_eq!(users.table.event_types().await, ["user.registered"]);
    let admin = users.admin_client(&ada);
    admin.patch(&path, &change, OK).await;
    let event = &users.table.events().await[1];
    assert_eq!(event.actor, format!("user:{}", ada.id));
}

#[tokio::test]
async fn invalid_fields_are_reported_and_unknown_users_are_not_found() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    for (body, fields) in [
        (json!({}), vec![""]),
        (json!({"role": null}), vec![""]),
        (
            json!({"role": "root", "status": "gone"}),
            vec!["/role", "/status"],
        ),
        (json!({"role": 1}), vec!["/role"]),
        (
            json!({"status": "active", "email": "x@example.com"}),
            vec!["/email"],
        ),
    ] {
        let reply = users.update(ada.id, &body, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), fields);
    }
    let change = json!({"role": "admin"});
    users
        .update(testkit::new_id::<UserId>(), &change, NOT_FOUND)
        .await;
    users
        .internal_client()
        .patch("/api/users/me", &change, NOT_FOUND)
        .await;
}
