//! Closing one's own account, and coming back.

use kernel::{SessionId, SignedDuration};
use serde_json::{Value, json};
use testkit::{Reply, status::*};
use users::{domain::Session, events::erase_accounts};

use crate::{
    mfa::code,
    shop::{PASSWORD, Person, Shop},
};

pub(crate) const GRACE: SignedDuration = SignedDuration::from_hours(30 * 24);
const PATH: &str = "/api/users/close";

pub(crate) async fn close(
    shop: &Shop,
    who: &Person,
    password: &str,
    expected: StatusCode,
) -> Reply {
    let body = json!({ "currentPassword": password });
    who.client(&shop.close).post(PATH, &body, expected).await
}

pub(crate) async fn erase(shop: &Shop) -> u64 {
    let function = erase_accounts::function_at(shop.clock.clone());
    let job = shop.table.start(&function).await;
    testkit::run(&job).await["erased"].as_u64().unwrap()
}

/// What is kept of sending events, when the relay has sent them.
pub(crate) async fn publish(shop: &Shop) {
    for item in shop.table.items().await {
        if item.contains_key("unsent") {
            let table = shop.table.table();
            let key = |name: &str| item.get(name).cloned().unwrap();
            let update = table.client().update_item().table_name(table.name());
            let update = update.key("pk", key("pk")).key("sk", key("sk"));
            let update = update.update_expression("REMOVE unsent, unsent_since");
            update.send().await.unwrap();
        }
    }
}

pub(crate) async fn total(shop: &Shop) -> Value {
    let reply = shop.list_users.as_internal().get("/api/users", OK).await;
    reply.body["meta"]["pagination"]["total"].clone()
}

#[tokio::test]
async fn closing_ends_every_session_and_logging_in_opens_again() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let other = Person::of(&shop.log_in("ada@example.com", PASSWORD, OK).await);
    let reply = close(&shop, &ada, PASSWORD, OK).await;
    assert_eq!(reply.body["data"]["eraseAt"], "2026-01-31T00:00:00Z");
    for person in [&ada, &other] {
        assert_eq!(shop.verdict(&person.token).await, "account_inactive");
        shop.refresh(&person.refresh, UNAUTHORIZED).await;
    }
    let path = format!("/api/users/{}", ada.id);
    let seen = shop.get_user.as_internal().get(&path, OK).await;
    assert_eq!(seen.body["data"]["status"], "inactive");
    assert_eq!(seen.body["data"]["eraseAt"], "2026-01-31T00:00:00Z");

    shop.clock.advance(GRACE - SignedDuration::from_millis(1));
    assert_eq!(erase(&shop).await, 0);
    shop.log_in("ada@example.com", "another password", UNAUTHORIZED)
        .await;
    let back = shop.log_in("ada@example.com", PASSWORD, OK).await;
    assert_eq!(back.body["data"]["user"]["status"], "active");
    let back = Person::of(&back);
    assert_eq!(shop.verdict(&back.token).await, "user");
    // The old sessions do not come back with the account.
    assert_eq!(shop.verdict(&other.token).await, "token_expired");
    shop.refresh(&other.refresh, UNAUTHORIZED).await;
    let seen = shop.get_user.as_internal().get(&path, OK).await;
    assert!(seen.body["data"].get("eraseAt").is_none());
    shop.clock.advance(GRACE);
    assert_eq!(erase(&shop).await, 0, "it is open again");
    assert_eq!(total(&shop).await, 1);
    let active = shop.list_users.as_internal();
    let active = active.get("/api/users?status=active", OK).await;
    assert_eq!(active.body["meta"]["pagination"]["total"], 1);
    let types = shop.table.event_types().await;
    let expected = [
        "user.registered",
        "user.updated",
        "user.deactivated",
        "user.updated",
        "user.reactivated",
    ];
    assert_eq!(types, expected);
}

#[tokio::test]
async fn coming_back_takes_the_second_factor_too() {
    let shop = Shop::open().await;
    let ada = shop.guarded("ada@example.com").await;
    close(&shop, &ada.person, PASSWORD, OK).await;
    let alone = json!({"email": "ada@example.com", "password": PASSWORD});
    let reply = shop
        .log_in
        .post("/api/auth/login", &alone, UNAUTHORIZED)
        .await;
    assert_eq!(reply.body["code"], "mfa_required");
    shop.log_in_with("ada@example.com", "000000", UNAUTHORIZED)
        .await;
    let path = format!("/api/users/{}", ada.person.id);
    let seen = shop.get_user.as_internal().get(&path, OK).await;
    assert_eq!(seen.body["data"]["status"], "inactive");
    let otp = code(&ada.secret, &shop.clock, 0);
    let back = shop.log_in_with("ada@example.com", &otp, OK).await;
    assert_eq!(back.body["data"]["user"]["status"], "active");
}

#[tokio::test]
async fn it_takes_the_password() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    for _ in 0..5 {
        let reply = close(&shop, &ada, "not the password", UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), ["/currentPassword"]);
    }
    // Guessing here locks the address like guessing at log-in.
    close(&shop, &ada, PASSWORD, UNPROCESSABLE_ENTITY).await;
    shop.log_in("ada@example.com", PASSWORD, UNAUTHORIZED).await;
    let client = ada.client(&shop.close);
    let reply = client.post(PATH, &json!({}), UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/currentPassword"]);
    let body = json!({ "currentPassword": PASSWORD });
    shop.close.post(PATH, &body, UNAUTHORIZED).await;
}

#[tokio::test]
async fn the_last_admin_stays() {
    let shop = Shop::open().await;
    let root = shop.register("root@example.com").await;
    shop.update(root.id, &json!({"role": "admin"}), OK).await;
    let reply = close(&shop, &root, PASSWORD, CONFLICT).await;
    assert_eq!(reply.body["code"], "last_admin");
    let two = shop.register("two@example.com").await;
    shop.update(two.id, &json!({"role": "admin"}), OK).await;
    close(&shop, &root, PASSWORD, OK).await;
    close(&shop, &two, PASSWORD, CONFLICT).await;
    // Whoever comes back is an admin again.
    shop.log_in("root@example.com", PASSWORD, OK).await;
    close(&shop, &two, PASSWORD, OK).await;
}

#[tokio::test]
async fn an_admin_can_open_it_again_and_then_it_stays() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    close(&shop, &ada, PASSWORD, OK).await;
    shop.update(ada.id, &json!({"status": "active"}), OK).await;
    publish(&shop).await;
    shop.clock.advance(GRACE);
    assert_eq!(erase(&shop).await, 0);
    shop.log_in("ada@example.com", PASSWORD, OK).await;
}

#[tokio::test]
async fn what_the_shop_shuts_its_owner_does_not_open() {
    for shut in ["delete", "inactive", "suspended"] {
        let shop = Shop::open().await;
        let ada = shop.register("ada@example.com").await;
        close(&shop, &ada, PASSWORD, OK).await;
        if shut == "delete" {
            let path = format!("/api/users/{}", ada.id);
            shop.delete_user.as_internal().delete(&path, OK).await;
        } else {
            shop.update(ada.id, &json!({ "status": shut }), OK).await;
        }
        shop.log_in("ada@example.com", PASSWORD, UNAUTHORIZED).await;
        publish(&shop).await;
        shop.clock.advance(GRACE);
        assert_eq!(
            erase(&shop).await,
            1,
            "its owner wants it gone all the same"
        );
        assert_eq!(total(&shop).await, 0, "{shut}");
    }
}

#[tokio::test]
async fn a_return_decided_before_the_shop_shut_the_account_is_refused() {
    use users::store::{LogIn, Returned, Store, StoreLogInError};
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    close(&shop, &ada, PASSWORD, OK).await;
    let store = Store::new(shop.table.table());
    let user = store.user(ada.id).await.unwrap().unwrap();
    let returned = user.returned();
    let now = shop.clock.now();
    let session = Session::begin(testkit::new_id::<SessionId>(), &user, "x".into(), now);
    let log_in = || LogIn {
        user: &user,
        returned: Some(Returned {
            user: &returned,
            events: &[],
        }),
        session: &session,
        superseded: &[],
        factor: None,
        rehashed: None,
        ip: None,
    };
    let path = format!("/api/users/{}", ada.id);
    shop.delete_user.as_internal().delete(&path, OK).await;
    let refused = store.log_in(log_in()).await;
    assert!(
        matches!(refused, Err(StoreLogInError::Changed)),
        "{refused:?}"
    );
    let seen = shop.get_user.as_internal().get(&path, OK).await;
    assert_eq!(seen.body["data"]["status"], "inactive");
}

#[tokio::test]
async fn whoever_lost_the_account_gets_it_back_through_the_mailbox() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    // Somebody else has the session and the password.
    let theirs = "seven otters paint the moon";
    let body = json!({"currentPassword": PASSWORD, "newPassword": theirs});
    let client = ada.client(&shop.change_password);
    client.put("/api/users/password", &body, OK).await;
    close(&shop, &ada, theirs, OK).await;
    let body = json!({"email": "ada@example.com"});
    shop.forgot
        .post("/api/auth/forgot-password", &body, ACCEPTED)
        .await;
    let token = shop.mailed_token("user.password_reset_requested").await;
    let body = json!({"token": token, "password": "nine herons read the news"});
    shop.reset.post("/api/auth/reset-password", &body, OK).await;
    shop.log_in("ada@example.com", theirs, UNAUTHORIZED).await;
    let back = shop
        .log_in("ada@example.com", "nine herons read the news", OK)
        .await;
    assert_eq!(back.body["data"]["user"]["status"], "active");
}
