use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::json;
use testkit::{Reply, status::*};

use crate::shop::{PASSWORD, Person, Shop};

const NEW: &str = "seven otters paint the moon";

async fn ask(shop: &Shop, email: &str) -> String {
    let body = json!({ "email": email });
    shop.forgot
        .post("/api/auth/forgot-password", &body, ACCEPTED)
        .await;
    shop.mailed_token("user.password_reset_requested")
        .await
        .unwrap()
}

async fn reset(shop: &Shop, token: &str, password: &str, expected: StatusCode) -> Reply {
    let body = json!({ "token": token, "password": password });
    shop.reset
        .post("/api/auth/reset-password", &body, expected)
        .await
}

#[tokio::test]
async fn a_new_password_takes_the_place_of_the_old_and_ends_every_session() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let other = Person::of(&shop.log_in("ada@example.com", PASSWORD, OK).await);
    let (first, token) = (
        ask(&shop, "ada@example.com").await,
        ask(&shop, "ada@example.com").await,
    );
    reset(&shop, &token, NEW, OK).await;
    for person in [&ada, &other] {
        assert_eq!(shop.verdict(&person.token).await, "session_ended");
        shop.refresh(&person.refresh, UNAUTHORIZED).await;
    }
    shop.log_in("ada@example.com", PASSWORD, UNAUTHORIZED).await;
    let again = Person::of(&shop.log_in("ada@example.com", NEW, OK).await);
    let me = again.client(&shop.me).get("/api/auth/me", OK).await;
    assert_eq!(me.body["data"]["emailVerified"], true, "the mail arrived");
    assert_eq!(
        shop.table.event_types().await.last().unwrap(),
        "user.password_changed"
    );
    // Neither the same token nor one that was mailed before works any more.
    for token in [&token, &first] {
        let reply = reset(
            &shop,
            token,
            "another otter paints the sun",
            UNPROCESSABLE_ENTITY,
        )
        .await;
        assert_eq!(reply.body["code"], "invalid_token");
    }
    let at_rest = format!("{:?}", shop.table.items().await);
    assert!(!at_rest.contains(&token) && !at_rest.contains(NEW));
}

#[tokio::test]
async fn a_password_that_is_refused_leaves_the_token_good() {
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    let token = ask(&shop, "ada@example.com").await;
    for weak in ["password123", "lovelace1", "short", "ada@example.com"] {
        let reply = reset(&shop, &token, weak, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), ["/password"], "{weak}");
    }
    reset(&shop, &token, NEW, OK).await;
}

#[tokio::test]
async fn a_token_is_good_for_half_an_hour() {
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    let token = ask(&shop, "ada@example.com").await;
    shop.clock.advance(SignedDuration::from_mins(30));
    let reply = reset(&shop, &token, NEW, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/token"]);
    shop.clock.advance(SignedDuration::from_millis(-1));
    reset(&shop, &token, NEW, OK).await;
}

#[tokio::test]
async fn it_opens_a_locked_address() {
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    for _ in 0..5 {
        shop.log_in("ada@example.com", NEW, UNAUTHORIZED).await;
    }
    let token = ask(&shop, "ada@example.com").await;
    reset(&shop, &token, NEW, OK).await;
    shop.log_in("ada@example.com", NEW, OK).await;
}

#[tokio::test]
async fn of_many_at_once_one_sets_the_password() {
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    let token = ask(&shop, "ada@example.com").await;
    let tries = (0..6).map(|n| {
        let body = json!({"token": token, "password": format!("{NEW} {n}")}).to_string();
        let path = "/api/auth/reset-password";
        shop.reset.exchange(http::Method::POST, path, Some(body))
    });
    let replies = join_all(tries).await;
    let won: Vec<_> = (0..6).filter(|n| replies[*n].status == OK).collect();
    assert_eq!(won.len(), 1, "{replies:?}");
    shop.log_in("ada@example.com", &format!("{NEW} {}", won[0]), OK)
        .await;
}

#[tokio::test]
async fn neither_a_token_of_another_kind_nor_a_suspended_account_gets_a_password() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let verification = shop.mailed_token("user.registered").await.unwrap();
    let token = ask(&shop, "ada@example.com").await;
    for wrong in ["", "x", &verification, &ada.token] {
        let reply = reset(&shop, wrong, NEW, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.body["code"], "invalid_token", "{wrong}");
    }
    shop.update(ada.id, &json!({"status": "suspended"}), OK)
        .await;
    reset(&shop, &token, NEW, UNPROCESSABLE_ENTITY).await;
    let reply = shop
        .reset
        .post("/api/auth/reset-password", &json!({}), UNPROCESSABLE_ENTITY)
        .await;
    assert_eq!(reply.invalid_fields(), ["/token", "/password"]);
}
