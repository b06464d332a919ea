use http::Method;
use serde_json::json;
use testkit::status::*;

use crate::shop::{PASSWORD, Person, Shop};

#[tokio::test]
async fn both_tokens_are_worth_nothing_at_once() {
    let shop = Shop::open().await;
    // With the refresh token, with an empty body, and with none at all.
    for (email, body) in [
        ("a@example.com", 0),
        ("b@example.com", 1),
        ("c@example.com", 2),
    ] {
        let person = shop.register(email).await;
        let body = match body {
            0 => Some(json!({"refreshToken": person.refresh}).to_string()),
            1 => Some("{}".to_owned()),
            _ => None,
        };
        assert_eq!(shop.verdict(&person.token).await, "user");
        let client = person.client(&shop.log_out);
        let reply = client
            .send(Method::POST, "/api/auth/logout", body, OK)
            .await;
        assert_eq!(reply.body["success"], true);
        assert_eq!(shop.verdict(&person.token).await, "session_ended");
        shop.refresh(&person.refresh, UNAUTHORIZED).await;
    }
}

#[tokio::test]
async fn logging_out_twice_is_as_good_as_once() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let body = json!({"refreshToken": ada.refresh});
    for _ in 0..2 {
        ada.client(&shop.log_out)
            .post("/api/auth/logout", &body, OK)
            .await;
    }
}

#[tokio::test]
async fn the_session_of_the_refresh_token_ends_too_but_only_if_it_is_good() {
    let shop = Shop::open().await;
    let phone = shop.register("ada@example.com").await;
    let laptop = Person::of(&shop.log_in("ada@example.com", PASSWORD, OK).await);
    let desk = Person::of(&shop.log_in("ada@example.com", PASSWORD, OK).await);
    let secret = phone.refresh.split_once('.').unwrap().1;
    let forged = format!("{}.{secret}", laptop.session_id());
    let body = json!({ "refreshToken": forged });
    phone
        .client(&shop.log_out)
        .post("/api/auth/logout", &body, OK)
        .await;
    assert_eq!(shop.verdict(&laptop.token).await, "user");
    let body = json!({"refreshToken": laptop.refresh});
    phone
        .client(&shop.log_out)
        .post("/api/auth/logout", &body, OK)
        .await;
    assert_eq!(shop.verdict(&laptop.token).await, "session_ended");
    let body = json!({"refreshToken": "nonsense"});
    phone
        .client(&shop.log_out)
        .post("/api/auth/logout", &body, OK)
        .await;
    assert_eq!(shop.verdict(&desk.token).await, "user");
}

#[tokio::test]
async fn it_needs_a_session_and_a_body_that_reads_if_any() {
    let shop = Shop::open().await;
    let reply = shop
        .log_out
        .post("/api/auth/logout", &json!({}), UNAUTHORIZED)
        .await;
    assert_eq!(reply.body["code"], "unauthenticated");
    shop.log_out
        .as_internal()
        .post("/api/auth/logout", &json!({}), FORBIDDEN)
        .await;
    let ada = shop.register("ada@example.com").await;
    let client = ada.client(&shop.log_out);
    client
        .post(
            "/api/auth/logout",
            &json!({"refreshToken": 1}),
            UNPROCESSABLE_ENTITY,
        )
        .await;
    client
        .post(
            "/api/auth/logout",
            &json!({"token": "x"}),
            UNPROCESSABLE_ENTITY,
        )
        .await;
    client
        .send(
            Method::POST,
            "/api/auth/logout",
            Some("{".into()),
            BAD_REQUEST,
        )
        .await;
    assert_eq!(shop.verdict(&ada.token).await, "user", "nothing was ended");
}
