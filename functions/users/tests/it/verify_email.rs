use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};
use testkit::status::*;

use crate::shop::{PASSWORD, Person, Shop};

async fn verify(shop: &Shop, token: &str, expected: StatusCode) -> testkit::Reply {
    let body = json!({ "token": token });
    let reply = shop
        .verify_email
        .post("/api/auth/verify-email", &body, expected)
        .await;
    if expected == UNPROCESSABLE_ENTITY {
        assert_eq!(reply.body["code"], "invalid_token");
        assert_eq!(reply.invalid_fields(), ["/token"]);
    }
    reply
}

async fn me(shop: &Shop, person: &Person) -> Value {
    let reply = person.client(&shop.me).get("/api/auth/me", OK).await;
    reply.body["data"].clone()
}

#[tokio::test]
async fn the_token_from_the_mail_verifies_the_address_once() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let token = shop.mailed_token("user.registered").await.unwrap();
    assert_eq!(me(&shop, &ada).await["emailVerified"], false);
    verify(&shop, &format!(" {token}\n"), OK).await;
    assert_eq!(me(&shop, &ada).await["emailVerified"], true);
    assert_eq!(
        shop.table.event_types().await,
        ["user.registered", "user.email_verified"]
    );
    verify(&shop, &token, UNPROCESSABLE_ENTITY).await;
    assert_eq!(shop.table.events().await.len(), 2);
}

#[tokio::test]
async fn of_many_at_once_one_verifies() {
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    let token = shop.mailed_token("user.registered").await.unwrap();
    let body = json!({ "token": token }).to_string();
    let tries = (0..8).map(|_| {
        let path = "/api/auth/verify-email";
        shop.verify_email
            .exchange(http::Method::POST, path, Some(body.clone()))
    });
    let replies = join_all(tries).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == OK).count(), 1);
    assert_eq!(shop.table.events().await.len(), 2);
}

#[tokio::test]
async fn a_token_is_good_for_a_day_and_its_age_is_looked_at() {
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    let token = shop.mailed_token("user.registered").await.unwrap();
    shop.clock.advance(SignedDuration::from_hours(24));
    verify(&shop, &token, UNPROCESSABLE_ENTITY).await;
    let there: Vec<Value> = shop.table.items_of("VERIFICATION#", "VERIFICATION").await;
    assert_eq!(
        there.len(),
        1,
        "DynamoDB has deleted nothing yet: the code has checked"
    );
    shop.clock.advance(SignedDuration::from_millis(-1));
    verify(&shop, &token, OK).await;
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let body = json!({"email": "ada@example.com"});
    shop.forgot
        .post("/api/auth/forgot-password", &body, ACCEPTED)
        .await;
    let reset = shop
        .mailed_token("user.password_reset_requested")
        .await
        .unwrap();
    let hash = users::tokens::MailToken::parse(&reset).unwrap().hash();
    for token in ["", "x", &ada.token, &ada.refresh, &reset, &hash] {
        verify(&shop, token, UNPROCESSABLE_ENTITY).await;
    }
    for body in [json!({}), json!({"token": 1}), json!({"token": null})] {
        let path = "/api/auth/verify-email";
        let reply = shop
            .verify_email
            .post(path, &body, UNPROCESSABLE_ENTITY)
            .await;
        assert_eq!(reply.invalid_fields(), ["/token"]);
    }
    assert_eq!(me(&shop, &ada).await["emailVerified"], false);
}

#[tokio::test]
async fn a_new_address_counts_once_it_is_verified() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let first = shop.mailed_token("user.registered").await.unwrap();
    let body = json!({"email": "New@Example.com", "currentPassword": PASSWORD});
    let reply = ada
        .client(&shop.update_profile)
        .put("/api/users/profile", &body, OK)
        .await;
    assert_eq!(reply.body["data"]["email"], "ada@example.com");
    let token = shop
        .mailed_token("user.verification_requested")
        .await
        .unwrap();
    verify(&shop, &token, OK).await;
    let now = me(&shop, &ada).await;
    assert_eq!(
        (&now["email"], &now["emailVerified"]),
        (&json!("new@example.com"), &json!(true))
    );
    let types = shop.table.event_types().await;
    assert_eq!(
        types[2..],
        [
            "user.updated".to_owned(),
            "user.email_verified".to_owned(),
            "user.email_changed".to_owned()
        ]
    );
    let told = shop.table.events().await.pop().unwrap();
    assert_eq!(
        told.data,
        json!({"userId": ada.id, "previousEmail": "ada@example.com"})
    );
    // The old address is free, and what was mailed to it proves nothing more.
    verify(&shop, &first, UNPROCESSABLE_ENTITY).await;
    shop.log_in("ada@example.com", PASSWORD, UNAUTHORIZED).await;
    shop.log_in("new@example.com", PASSWORD, OK).await;
    shop.register("ada@example.com").await;
}

#[tokio::test]
async fn an_account_that_is_shut_or_closed_verifies_nothing() {
    for status in ["suspended", "inactive"] {
        let shop = Shop::open().await;
        let ada = shop.register("ada@example.com").await;
        let token = shop.mailed_token("user.registered").await.unwrap();
        shop.update(ada.id, &json!({ "status": status }), OK).await;
        verify(&shop, &token, UNPROCESSABLE_ENTITY).await;
        shop.update(ada.id, &json!({"status": "active"}), OK).await;
        verify(&shop, &token, OK).await;
    }
}

#[tokio::test]
async fn an_address_that_somebody_else_got_first_stays_theirs() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let body = json!({"email": "new@example.com", "currentPassword": PASSWORD});
    ada.client(&shop.update_profile)
        .put("/api/users/profile", &body, OK)
        .await;
    let token = shop
        .mailed_token("user.verification_requested")
        .await
        .unwrap();
    shop.register("new@example.com").await;
    let reply = verify(&shop, &token, CONFLICT).await;
    assert_eq!(reply.body["code"], "email_taken");
    assert_eq!(me(&shop, &ada).await["email"], "ada@example.com");
}
