//! `POST /api/auth/reset-password`.

use futures_util::future::join_all;
use kernel::SignedDuration;
use serde_json::json;
use testkit::status::*;

use crate::fixture::{NEW_PASSWORD, PASSWORD, Person, TestUsers};

#[tokio::test]
async fn a_reset_replaces_the_password_and_ends_every_session() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let other = Person::of(&users.log_in("ada@example.com", PASSWORD, OK).await);
    let (first, token) = (
        users.request_password_reset("ada@example.com").await,
        users.request_password_reset("ada@example.com").await,
    );
    users.reset_password(&token, NEW_PASSWORD, OK).await;
    for person in [&ada, &other] {
        assert_eq!(users.authorize(&person.token).await, "session_ended");
        users.refresh(&person.refresh, UNAUTHORIZED).await;
    }
    users
        .log_in("ada@example.com", PASSWORD, UNAUTHORIZED)
        .await;
    let again = Person::of(&users.log_in("ada@example.com", NEW_PASSWORD, OK).await);
    let me = users.me(&again).await;
    assert_eq!(me["emailVerified"], true, "the email has arrived");
    let types = users.table.event_types().await;
    let told = ["user.email_verified", "user.password_changed"];
    assert_eq!(types[types.len() - 2..], told);
    // The token is used up, and earlier ones are invalid.
    for token in [&token, &first] {
        let reply = users
            .reset_password(token, "another otter paints the sun", UNPROCESSABLE_ENTITY)
            .await;
        assert_eq!(reply.body["code"], "invalid_token");
    }
    let at_rest = format!("{:?}", users.table.items().await);
    assert!(!at_rest.contains(&token) && !at_rest.contains(NEW_PASSWORD));
}

#[tokio::test]
async fn a_rejected_password_leaves_the_token_valid() {
    let users = TestUsers::new().await;
    users.register("ada@example.com").await;
    let token = users.request_password_reset("ada@example.com").await;
    for weak in [
        "password123",
        "lovelace1",
        "short",
        "ada@example.com",
        "Emporium2026!",
    ] {
        let reply = users
            .reset_password(&token, weak, UNPROCESSABLE_ENTITY)
            .await;
        assert_eq!(reply.invalid_fields(), ["/password"], "{weak}");
    }
    users.reset_password(&token, NEW_PASSWORD, OK).await;
}

#[tokio::test]
async fn a_token_is_valid_for_half_an_hour() {
    let users = TestUsers::new().await;
    users.register("ada@example.com").await;
    let token = users.request_password_reset("ada@example.com").await;
    users.advance(SignedDuration::from_mins(30));
    let reply = users
        .reset_password(&token, NEW_PASSWORD, UNPROCESSABLE_ENTITY)
        .await;
    assert_eq!(reply.invalid_fields(), ["/token"]);
    users.advance(SignedDuration::from_millis(-1));
    users.reset_password(&token, NEW_PASSWORD, OK).await;
}

#[tokio::test]
async fn a_reset_unlocks_a_locked_email() {
    let users = TestUsers::new().await;
    users.register("ada@example.com").await;
    for _ in 0..5 {
        users
            .log_in("ada@example.com", NEW_PASSWORD, UNAUTHORIZED)
            .await;
    }
    let token = users.request_password_reset("ada@example.com").await;
    users.reset_password(&token, NEW_PASSWORD, OK).await;
    users.log_in("ada@example.com", NEW_PASSWORD, OK).await;
}

#[tokio::test]
async fn of_concurrent_resets_one_sets_the_password() {
    let users = TestUsers::new().await;
    users.register("ada@example.com").await;
    let token = users.request_password_reset("ada@example.com").await;
    let requests = (0..6).map(|n| {
        let body = json!({"token": token, "password": format!("{NEW_PASSWORD} {n}")}).to_string();
        let path = "/api/auth/reset-password";
        users
            .client()
            .exchange(http::Method::POST, path, Some(body))
    });
    let replies = join_all(requests).await;
    let won: Vec<_> = (0..6).filter(|n| replies[*n].status == OK).collect();
    assert_eq!(won.len(), 1, "{replies:?}");
    users
        .log_in("ada@example.com", &format!("{NEW_PASSWORD} {}", won[0]), OK)
        .await;
}

#[tokio::test]
async fn a_token_of_another_kind_or_of_a_suspended_account_is_rejected() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let verification = users.mailed_token("user.registered").await;
    let token = users.request_password_reset("ada@example.com").await;
    for wrong in ["", "x", &verification, &ada.token] {
        let reply = users
            .reset_password(wrong, NEW_PASSWORD, UNPROCESSABLE_ENTITY)
            .await;
        assert_eq!(reply.body["code"], "invalid_token", "{wrong}");
    }
    users
        .update(ada.id, &json!({"status": "suspended"}), OK)
        .await;
    users
        .reset_password(&token, NEW_PASSWORD, UNPROCESSABLE_ENTITY)
        .await;
    let reply = users
        .client()
        .post("/api/auth/reset-password", &json!({}), UNPROCESSABLE_ENTITY)
        .await;
    assert_eq!(reply.invalid_fields(), ["/token", "/password"]);
}
