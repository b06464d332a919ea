//! `POST /api/auth/verify-email`.

use futures_util::future::join_all;
use kernel::SignedDuration;
use serde_json::{Value, json};
use testkit::status::*;
use users::credentials::tokens::MailToken;

use crate::fixture::{PASSWORD, TestUsers};

const PATH: &str = "/api/auth/verify-email";

#[tokio::test]
async fn the_token_in_the_email_verifies_the_address_once() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let token = users.mailed_token("user.registered").await;
    assert_eq!(users.me(&ada).await["emailVerified"], false);
    users.verify_email(&format!(" {token}\n"), OK).await;
    assert_eq!(users.me(&ada).await["emailVerified"], true);
    assert_eq!(
        users.table.event_types().await,
        ["user.registered", "user.email_verified"]
    );
    users.verify_email(&token, UNPROCESSABLE_ENTITY).await;
    assert_eq!(users.table.events().await.len(), 2);
}

#[tokio::test]
async fn of_concurrent_verifications_one_succeeds() {
    let users = TestUsers::new().await;
    users.register("ada@example.com").await;
    let token = users.mailed_token("user.registered").await;
    let body = json!({ "token": token }).to_string();
    let requests = (0..8).map(|_| {
        let client = users.client();
        client.exchange(http::Method::POST, PATH, Some(body.clone()))
    });
    let replies = join_all(requests).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == OK).count(), 1);
    assert_eq!(users.table.events().await.len(), 2);
}

#[tokio::test]
async fn a_token_expires_after_a_day_although_its_item_still_exists() {
    let users = TestUsers::new().await;
    users.register("ada@example.com").await;
    let token = users.mailed_token("user.registered").await;
    users.advance(SignedDuration::from_hours(24));
    users.verify_email(&token, UNPROCESSABLE_ENTITY).await;
    let stored: Vec<Value> = users.table.items_of("VERIFICATION#", "VERIFICATION").await;
    assert_eq!(stored.len(), 1, "the item has not expired yet");
    users.advance(SignedDuration::from_millis(-1));
    users.verify_email(&token, OK).await;
}

#[tokio::test]
async fn an_invalid_token_is_rejected() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let reset = users.request_password_reset("ada@example.com").await;
    let hash = MailToken::parse(&reset).unwrap().hash();
    for token in ["", "x", &ada.token, &ada.refresh, &reset, &hash] {
        users.verify_email(token, UNPROCESSABLE_ENTITY).await;
    }
    for body in [json!({}), json!({"token": 1}), json!({"token": null})] {
        let reply = users.client().post(PATH, &body, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), ["/token"]);
    }
    assert_eq!(users.me(&ada).await["emailVerified"], false);
}

#[tokio::test]
async fn a_new_email_takes_effect_once_it_is_verified() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let first = users.mailed_token("user.registered").await;
    let body = json!({"email": "New@Example.com", "currentPassword": PASSWORD});
    let reply = users.update_profile(&ada, &body, OK).await;
    assert_eq!(reply.body["data"]["email"], "ada@example.com");
    let token = users.mailed_token("user.verification_requested").await;
    users.verify_email(&token, OK).await;
    let now = users.me(&ada).await;
    assert_eq!(
        (&now["email"], &now["emailVerified"]),
        (&json!("new@example.com"), &json!(true))
    );
    let types = users.table.event_types().await;
    assert_eq!(
        types[2..],
        [
            "user.updated".to_owned(),
            "user.email_verified".to_owned(),
            "user.email_changed".to_owned()
        ]
    );
    let changed = users.table.events().await.pop().unwrap();
    assert_eq!(
        changed.data,
        json!({"userId": ada.id, "previousEmail": "ada@example.com"})
    );
    // The old email is free, and the token that was sent to it is invalid.
    users.verify_email(&first, UNPROCESSABLE_ENTITY).await;
    users
        .log_in("ada@example.com", PASSWORD, UNAUTHORIZED)
        .await;
    users.log_in("new@example.com", PASSWORD, OK).await;
    users.register("ada@example.com").await;
}

#[tokio::test]
async fn an_inactive_account_cannot_verify_its_email() {
    for status in ["suspended", "inactive"] {
        let users = TestUsers::new().await;
        let ada = users.register("ada@example.com").await;
        let token = users.mailed_token("user.registered").await;
        users.update(ada.id, &json!({ "status": status }), OK).await;
        users.verify_email(&token, UNPROCESSABLE_ENTITY).await;
        users.update(ada.id, &json!({"status": "active"}), OK).await;
        users.verify_email(&token, OK).await;
    }
}

#[tokio::test]
async fn an_email_that_somebody_else_registered_first_stays_theirs() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let body = json!({"email": "new@example.com", "currentPassword": PASSWORD});
    users.update_profile(&ada, &body, OK).await;
    let token = users.mailed_token("user.verification_requested").await;
    users.register("new@example.com").await;
    let reply = users.verify_email(&token, CONFLICT).await;
    assert_eq!(reply.body["code"], "email_taken");
    assert_eq!(users.me(&ada).await["email"], "ada@example.com");
}
