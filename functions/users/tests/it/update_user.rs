use contracts::events::{Preferences, UserUpdated};
use futures_util::future::join_all;
use kernel::UserId;
use kernel::Role;
use serde_json::{Value, json};
use testkit::status::*;

use crate::shop::{PASSWORD, Shop};

#[tokio::test]
async fn a_promotion_and_a_demotion_count_with_the_next_request() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    for role in ["admin", "moderator", "user"] {
        let reply = shop.update(ada.id, &json!({ "role": role }), OK).await;
        assert_eq!(
            (&reply.body["data"]["role"], &reply.body["data"]["id"]),
            (&json!(role), &json!(ada.id))
        );
        let context = shop
            .context(&json!({"authorization": format!("Bearer {}", ada.token)}))
            .await;
        assert_eq!(
            (&context["kind"], &context["role"]),
            (&json!("user"), &json!(role))
        );
    }
}

#[tokio::test]
async fn who_is_not_active_is_out_at_once_and_for_good() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    shop.update(ada.id, &json!({"status": "suspended"}), OK)
        .await;
    assert_eq!(shop.verdict(&ada.token).await, "account_inactive");
    shop.log_in("ada@example.com", PASSWORD, UNAUTHORIZED).await;
    shop.update(ada.id, &json!({"status": "active"}), OK).await;
    assert_eq!(shop.verdict(&ada.token).await, "session_ended");
    shop.log_in("ada@example.com", PASSWORD, OK).await;
}

#[tokio::test]
async fn each_change_is_announced_once_and_no_change_is_not() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let change = json!({"role": "moderator", "status": "inactive"});
    for _ in 0..3 {
        let reply = shop.update(ada.id, &change, OK).await;
        assert_eq!(reply.body["data"]["status"], "inactive");
    }
    assert_eq!(
        shop.table.event_types().await,
        ["user.registered", "user.updated"]
    );
    let event = &shop.table.events().await[1];
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
async fn changes_at_the_same_time_are_all_kept() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let (role, status) = (json!({"role": "admin"}), json!({"status": "pending"}));
    let changes = [&role, &status, &role, &status];
    join_all(changes.map(|change| shop.update(ada.id, change, OK))).await;
    let user: Value = shop.table.items_of("USER#", "USER").await.remove(0);
    let now = (&user["role"], &user["status"], &user["version"]);
    assert_eq!(now, (&json!("admin"), &json!("pending"), &json!(3)));
    assert_eq!(shop.table.events().await.len(), 3);
}

#[tokio::test]
async fn storing_a_change_twice_is_once_and_a_stale_one_is_refused() {
    use users::{
        domain::UserChange,
        store::{Store, UpdateUserError},
    };
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let store = Store::new(shop.table.table());
    let user = store.user(ada.id).await.unwrap().unwrap();
    let to = |role| {
        user.changed(UserChange {
            role: Some(role),
            status: None,
        })
        .unwrap()
    };
    let event = || {
        let mut event = shop_event();
        event.subject = ada.id.to_string();
        event
    };
    let first = event();
    store.update_user(&to(Role::Admin), &first).await.unwrap();
    store.update_user(&to(Role::Admin), &first).await.unwrap();
    let stale = store.update_user(&to(Role::Moderator), &event()).await;
    assert!(matches!(stale, Err(UpdateUserError::Conflict)), "{stale:?}");
    let now = store.user(ada.id).await.unwrap().unwrap();
    assert_eq!((now.role, now.version), (Role::Admin, 2));
    assert_eq!(shop.table.events().await.len(), 2);
}

fn shop_event() -> contracts::Envelope {
    let data = UserUpdated {
        user_id: testkit::new_id::<UserId>(),
        email: String::new(),
        name: String::new(),
        role: String::new(),
        status: String::new(),
        preferences: None,
    };
    let cause = kernel::Cause {
        correlation_id: "test".into(),
        causation_id: "test".into(),
        actor: kernel::Actor::Internal,
    };
    contracts::Envelope::new(&data, jiff::Timestamp::UNIX_EPOCH, &cause)
}

#[tokio::test]
async fn only_admins_and_machines_may() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let path = format!("/api/users/{}", ada.id);
    let change = json!({"role": "admin"});
    shop.update.patch(&path, &change, UNAUTHORIZED).await;
    let person = |role| shop.update.as_user(ada.id, role);
    person(Role::User).patch(&path, &change, FORBIDDEN).await;
    person(Role::Moderator)
        .patch(&path, &change, FORBIDDEN)
        .await;
    assert_eq!(shop.table.event_types().await, ["user.registered"]);
    person(Role::Admin).patch(&path, &change, OK).await;
    let event = &shop.table.events().await[1];
    assert_eq!(event.actor, format!("user:{}", ada.id));
}

#[tokio::test]
async fn what_is_wrong_is_named_and_who_is_not_there_is_not_found() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
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
        let reply = shop.update(ada.id, &body, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), fields);
    }
    let change = json!({"role": "admin"});
    shop.update(testkit::new_id::<UserId>(), &change, NOT_FOUND).await;
    shop.update
        .as_internal()
        .patch("/api/users/me", &change, NOT_FOUND)
        .await;
}
