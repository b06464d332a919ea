use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::{Reply, status::*};

use crate::shop::{PASSWORD, Person, Shop};

const NEW: &str = "seven otters paint the moon";

async fn change(shop: &Shop, who: &Person, from: &str, to: &str, expected: StatusCode) -> Reply {
    let body = json!({"currentPassword": from, "newPassword": to});
    let client = who.client(&shop.change_password);
    client.put("/api/users/password", &body, expected).await
}

#[tokio::test]
async fn other_sessions_end_and_this_one_goes_on() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let other = Person::of(&shop.log_in("ada@example.com", PASSWORD, OK).await);
    change(&shop, &ada, PASSWORD, NEW, OK).await;
    assert_eq!(shop.verdict(&ada.token).await, "user");
    assert_eq!(shop.verdict(&other.token).await, "session_ended");
    shop.refresh(&other.refresh, UNAUTHORIZED).await;
    let ada = Person::of(&shop.refresh(&ada.refresh, OK).await);
    assert_eq!(shop.verdict(&ada.token).await, "user");
    shop.log_in("ada@example.com", PASSWORD, UNAUTHORIZED).await;
    shop.log_in("ada@example.com", NEW, OK).await;
    let types = shop.table.event_types().await;
    assert_eq!(types, ["user.registered", "user.password_changed"]);
}

#[tokio::test]
async fn a_wrong_current_password_is_a_failure_like_any_other() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    for _ in 0..5 {
        let reply = change(&shop, &ada, NEW, NEW, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), ["/currentPassword"]);
    }
    // The address is locked: the right one gets the same reply, here and there.
    let reply = change(&shop, &ada, PASSWORD, NEW, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/currentPassword"]);
    shop.log_in("ada@example.com", PASSWORD, UNAUTHORIZED).await;
    assert_eq!(shop.verdict(&ada.token).await, "user", "still signed in");
}

#[tokio::test]
async fn the_new_one_must_be_good_and_new() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    for weak in [
        "password123",
        "short",
        "Lovelace1815",
        PASSWORD,
        &"x".repeat(129),
    ] {
        let reply = change(&shop, &ada, PASSWORD, weak, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), ["/newPassword"], "{weak}");
    }
    let client = ada.client(&shop.change_password);
    let reply = client
        .put("/api/users/password", &json!({}), UNPROCESSABLE_ENTITY)
        .await;
    assert_eq!(reply.invalid_fields(), ["/currentPassword", "/newPassword"]);
    let body = json!({"currentPassword": PASSWORD, "newPassword": NEW});
    shop.change_password
        .put("/api/users/password", &body, UNAUTHORIZED)
        .await;
}

#[tokio::test]
async fn of_many_at_once_one_wins_and_nobody_is_left_with_another_password() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let tries = (0..6).map(|n| {
        let body = json!({"currentPassword": PASSWORD, "newPassword": format!("{NEW} {n}")});
        let path = "/api/users/password";
        let client = ada.client(&shop.change_password);
        client.exchange(http::Method::PUT, path, Some(body.to_string()))
    });
    let replies = join_all(tries).await;
    let won: Vec<_> = (0..6).filter(|n| replies[*n].status == OK).collect();
    assert_eq!(won.len(), 1, "{replies:?}");
    shop.log_in("ada@example.com", &format!("{NEW} {}", won[0]), OK)
        .await;
    let users: Vec<Value> = shop.table.items_of("USER#", "USER").await;
    assert_eq!(users[0]["session_epoch"], 1);
}

#[tokio::test]
async fn a_session_that_ended_meanwhile_changes_nothing() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    ada.client(&shop.log_out)
        .post("/api/auth/logout", &json!({}), OK)
        .await;
    let reply = change(&shop, &ada, PASSWORD, NEW, UNAUTHORIZED).await;
    assert_eq!(reply.body["code"], "session_ended");
    shop.log_in("ada@example.com", PASSWORD, OK).await;
}

#[tokio::test]
async fn of_many_guesses_at_once_five_are_looked_at() {
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    let store = users::store::Store::new(shop.table.table());
    let now = shop.clock.now();
    let tries = (0..16).map(|_| store.begin_try("ada@example.com", now));
    let tries = join_all(tries).await;
    let mut tries: Vec<_> = tries.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(tries.len(), 5);
    shop.log_in("ada@example.com", PASSWORD, UNAUTHORIZED).await;
    // One that was right is taken back, and makes room for another.
    let right = tries.pop().unwrap();
    store.take_back("ada@example.com", right).await.unwrap();
    shop.log_in("ada@example.com", PASSWORD, OK).await;
}

#[tokio::test]
async fn the_right_password_leaves_no_failure_and_a_second_factors_stay() {
    let shop = Shop::open().await;
    let failures = || async {
        let counted: Vec<Value> = shop.table.items_of("ATTEMPTS#", "ATTEMPTS").await;
        let counted = counted
            .first()
            .and_then(|item| item["failures"].as_array().cloned());
        counted.map_or(0, |failures| failures.len())
    };
    let ada = shop.guarded("ada@example.com").await;
    for _ in 0..3 {
        shop.disable(&ada.person, "000000", UNPROCESSABLE_ENTITY)
            .await;
    }
    assert_eq!(failures().await, 3);
    change(&shop, &ada.person, PASSWORD, NEW, OK).await;
    assert_eq!(failures().await, 3, "a password is not the second factor");
    for n in 0..9 {
        let (from, to) = (format!("{NEW}{n}"), format!("{NEW}{}", n + 1));
        let from = if n == 0 { NEW } else { &from };
        change(&shop, &ada.person, from, &to, OK).await;
    }
    assert_eq!(failures().await, 3, "right ones leave nothing");
}
