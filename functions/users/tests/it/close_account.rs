//! Closing one's own account, coming back, and being erased.

use futures_util::future::join_all;
use kernel::{SessionId, SignedDuration, UserId};
use runtime::{Context, LambdaEvent};
use serde_json::{Value, json, value::to_raw_value};
use testkit::{Reply, status::*};
use users::events::erase_accounts;

use users::domain::Session;

use crate::mfa::code;
use crate::shop::{PASSWORD, Person, Shop};

const GRACE: SignedDuration = SignedDuration::from_hours(30 * 24);
const PATH: &str = "/api/users/close";

async fn close(shop: &Shop, who: &Person, password: &str, expected: StatusCode) -> Reply {
    let body = json!({ "currentPassword": password });
    who.client(&shop.close).post(PATH, &body, expected).await
}

async fn erase(shop: &Shop) -> u64 {
    let function = erase_accounts::function_at(shop.clock.clone());
    let job = shop.table.start(&function).await;
    let payload = to_raw_value(&json!({ "source": "aws.scheduler" })).unwrap();
    let round = job(LambdaEvent::new(payload, Context::default())).await;
    let round: Value = serde_json::from_str(round.unwrap().get()).unwrap();
    round["erased"].as_u64().unwrap()
}

/// Everything that the table holds, as one text.
async fn everything(shop: &Shop) -> String {
    let items = shop.table.items().await.into_iter();
    items
        .map(|item| {
            serde_dynamo::from_item::<_, Value>(item)
                .unwrap()
                .to_string()
        })
        .collect::<Vec<_>>()
        .join("\n")
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

async fn total(shop: &Shop) -> Value {
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
        assert_eq!(reply.refused_fields(), ["/currentPassword"]);
    }
    // Guessing here locks the address like guessing at log-in.
    close(&shop, &ada, PASSWORD, UNPROCESSABLE_ENTITY).await;
    shop.log_in("ada@example.com", PASSWORD, UNAUTHORIZED).await;
    let client = ada.client(&shop.close);
    let reply = client.post(PATH, &json!({}), UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.refused_fields(), ["/currentPassword"]);
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
async fn nothing_is_left_of_who_was_erased_but_that() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let eve = shop.register("eve@example.com").await;
    let address = json!({"name": "Ada L.", "line1": "12 St James's Square", "city": "London",
        "postalCode": "SW1Y 4JH", "country": "GB"});
    let addresses = ada.client(&shop.add_address);
    addresses
        .post("/api/users/addresses", &address, CREATED)
        .await;
    shop.log_in("ada@example.com", "not the password", UNAUTHORIZED)
        .await;
    for _ in 0..3 {
        shop.log_in("ada@example.com", PASSWORD, OK).await;
    }
    close(&shop, &ada, PASSWORD, OK).await;
    publish(&shop).await;
    shop.clock.advance(GRACE);
    shop.log_in("ada@example.com", PASSWORD, UNAUTHORIZED).await;
    let rounds = join_all((0..4).map(|_| erase(&shop))).await;
    assert!(rounds.iter().sum::<u64>() >= 1, "{rounds:?}");

    let left = everything(&shop).await;
    let of_ada: Vec<&str> = left
        .lines()
        .filter(|line| line.contains(&ada.id.to_string()))
        .collect();
    // The token that was mailed goes by itself after a day.
    let of_ada: Vec<&&str> = of_ada
        .iter()
        .filter(|line| !line.contains("VERIFICATION#"))
        .collect();
    assert_eq!(of_ada.len(), 1, "{of_ada:#?}");
    assert!(of_ada[0].contains("user.erased"), "{of_ada:?}");
    assert!(!of_ada[0].to_lowercase().contains("ada@"), "{of_ada:?}");
    assert!(!left.contains("St James"));
    assert_eq!(total(&shop).await, 1);
    assert!(left.contains("eve@example.com"), "and nobody else");
    assert_eq!(shop.verdict(&eve.token).await, "token_expired");
    let types = shop.table.event_types().await;
    assert_eq!(
        types.iter().filter(|kind| *kind == "user.erased").count(),
        1
    );
    let path = format!("/api/users/{}", ada.id);
    shop.get_user.as_internal().get(&path, NOT_FOUND).await;
    // The address is free.
    let again = shop.register("ada@example.com").await;
    assert_ne!(again.id, ada.id);
    assert_eq!(erase(&shop).await, 0);
    assert_eq!(total(&shop).await, 2);
}

#[tokio::test]
async fn what_is_to_be_published_is_published_before_it_goes() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    close(&shop, &ada, PASSWORD, OK).await;
    shop.clock.advance(GRACE);
    // Nothing has been published: the person is out, the rest waits.
    assert_eq!(erase(&shop).await, 0);
    let types = shop.table.event_types().await;
    assert_eq!(types.len(), 4, "{types:?}");
    let again = shop.register("ada@example.com").await;
    assert_ne!(again.id, ada.id, "the address is free");
    publish(&shop).await;
    assert_eq!(erase(&shop).await, 1);
    let types = shop.table.event_types().await;
    assert_eq!(types, ["user.erased", "user.registered"]);
}

#[tokio::test]
async fn more_than_a_page_goes_too() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    for n in 0..60 {
        let change = json!({"status": if n % 2 == 0 { "suspended" } else { "active" }});
        shop.update(ada.id, &change, OK).await;
        let change = json!({"role": if n % 2 == 0 { "moderator" } else { "user" }});
        shop.update(ada.id, &change, OK).await;
    }
    let ada = Person::of(&shop.log_in("ada@example.com", PASSWORD, OK).await);
    close(&shop, &ada, PASSWORD, OK).await;
    publish(&shop).await;
    shop.clock.advance(GRACE);
    assert_eq!(erase(&shop).await, 1);
    assert_eq!(shop.table.event_types().await, ["user.erased"]);
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
    let session = Session::begin(SessionId::generate(), &user, "x".into(), now);
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

#[tokio::test]
async fn an_account_that_is_being_erased_is_nobodys() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    close(&shop, &ada, PASSWORD, OK).await;
    shop.clock.advance(GRACE);
    assert_eq!(erase(&shop).await, 0, "its events wait");
    let path = format!("/api/users/{}", ada.id);
    let active = json!({"status": "active"});
    shop.update(ada.id, &active, NOT_FOUND).await;
    shop.get_user.as_internal().get(&path, NOT_FOUND).await;
    shop.delete_user
        .as_internal()
        .delete(&path, NOT_FOUND)
        .await;
    publish(&shop).await;
    assert_eq!(erase(&shop).await, 1);
}

#[tokio::test]
async fn who_comes_back_at_the_last_moment_is_in_or_out_and_never_half() {
    for _ in 0..5 {
        let shop = Shop::open().await;
        let ada = shop.register("ada@example.com").await;
        close(&shop, &ada, PASSWORD, OK).await;
        publish(&shop).await;
        shop.clock.advance(GRACE - SignedDuration::from_millis(1));
        let body = json!({"email": "ada@example.com", "password": PASSWORD});
        let back = shop.log_in.exchange(
            http::Method::POST,
            "/api/auth/login",
            Some(body.to_string()),
        );
        let (back, ()) = tokio::join!(back, async {
            tokio::task::yield_now().await;
            shop.clock.advance(SignedDuration::from_millis(1));
            erase(&shop).await;
        });
        erase(&shop).await;
        if back.status == OK {
            assert_eq!(shop.verdict(&Person::of(&back).token).await, "user");
            assert_eq!(total(&shop).await, 1);
        } else {
            assert_eq!(total(&shop).await, 0);
            let path = format!("/api/users/{}", ada.id);
            shop.get_user.as_internal().get(&path, NOT_FOUND).await;
        }
    }
}

#[tokio::test]
async fn a_round_with_nothing_to_do_does_nothing() {
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    let before = everything(&shop).await;
    assert_eq!(erase(&shop).await, 0);
    assert_eq!(everything(&shop).await, before);
    let nobody = UserId::generate().to_string();
    assert!(!before.contains(&nobody));
}
