//! `PUT /api/users/password`.

use futures_util::future::join_all;
use serde_json::json;
use testkit::status::*;

use crate::fixture::{NEW_PASSWORD, PASSWORD, Person, TestUsers};

const PATH: &str = "/api/users/password";

#[tokio::test]
async fn changing_the_password_ends_every_session_but_the_current_one() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let other = Person::of(&users.log_in("ada@example.com", PASSWORD, OK).await);
    users
        .change_password(&ada, (PASSWORD, NEW_PASSWORD), OK)
        .await;
    assert_eq!(users.authorize(&ada.token).await, "user");
    assert_eq!(users.authorize(&other.token).await, "session_ended");
    users.refresh(&other.refresh, UNAUTHORIZED).await;
    let ada = Person::of(&users.refresh(&ada.refresh, OK).await);
    assert_eq!(users.authorize(&ada.token).await, "user");
    users
        .log_in("ada@example.com", PASSWORD, UNAUTHORIZED)
        .await;
    users.log_in("ada@example.com", NEW_PASSWORD, OK).await;
    let types = users.table.event_types().await;
    assert_eq!(types, ["user.registered", "user.password_changed"]);
}

#[tokio::test]
async fn five_wrong_current_passwords_lock_the_session_and_not_the_owner() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    for _ in 0..5 {
        let reply = users
            .change_password(&ada, (NEW_PASSWORD, NEW_PASSWORD), UNPROCESSABLE_ENTITY)
            .await;
        assert_eq!(reply.invalid_fields(), ["/currentPassword"]);
    }
    // The session is locked: the right password is rejected here, and not elsewhere.
    let reply = users
        .change_password(&ada, (PASSWORD, NEW_PASSWORD), UNPROCESSABLE_ENTITY)
        .await;
    assert_eq!(reply.invalid_fields(), ["/currentPassword"]);
    assert_eq!(users.authorize(&ada.token).await, "user", "still signed in");
    let again = Person::of(&users.log_in("ada@example.com", PASSWORD, OK).await);
    users
        .change_password(&again, (PASSWORD, NEW_PASSWORD), OK)
        .await;
}

#[tokio::test]
async fn a_weak_or_unchanged_new_password_is_rejected() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    for weak in [
        "password123",
        "short",
        "Lovelace1815",
        "Emporium2026!",
        PASSWORD,
        &"x".repeat(129),
    ] {
        let reply = users
            .change_password(&ada, (PASSWORD, weak), UNPROCESSABLE_ENTITY)
            .await;
        assert_eq!(reply.invalid_fields(), ["/newPassword"], "{weak}");
    }
    let client = users.client_of(&ada);
    let reply = client.put(PATH, &json!({}), UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/currentPassword", "/newPassword"]);
    let body = json!({"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD});
    users.client().put(PATH, &body, UNAUTHORIZED).await;
}

#[tokio::test]
async fn of_concurrent_changes_one_succeeds_and_its_password_is_stored() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let requests = (0..6).map(|n| {
        let body =
            json!({"currentPassword": PASSWORD, "newPassword": format!("{NEW_PASSWORD} {n}")});
        let client = users.client_of(&ada);
        client.exchange(http::Method::PUT, PATH, Some(body.to_string()))
    });
    let replies = join_all(requests).await;
    let won: Vec<_> = (0..6).filter(|n| replies[*n].status == OK).collect();
    assert_eq!(won.len(), 1, "{replies:?}");
    users
        .log_in("ada@example.com", &format!("{NEW_PASSWORD} {}", won[0]), OK)
        .await;
    assert_eq!(users.stored_users().await[0]["session_epoch"], 1);
}

#[tokio::test]
async fn a_session_that_has_ended_cannot_change_the_password() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users.log_out(&ada, &json!({})).await;
    let reply = users
        .change_password(&ada, (PASSWORD, NEW_PASSWORD), UNAUTHORIZED)
        .await;
    assert_eq!(reply.body["code"], "session_ended");
    users.log_in("ada@example.com", PASSWORD, OK).await;
}

#[tokio::test]
async fn of_concurrent_guesses_five_are_checked() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let store = users.store();
    let (session, now) = (ada.session_id(), users.clock().now());
    let attempts = (0..16).map(|_| store.begin_attempt("ada@example.com", session, now));
    let attempts = join_all(attempts).await;
    let mut attempts: Vec<_> = attempts.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(attempts.len(), 5);
    let passwords = (PASSWORD, NEW_PASSWORD);
    users
        .change_password(&ada, passwords, UNPROCESSABLE_ENTITY)
        .await;
    // One that turns out to be right is cleared, which makes room for another.
    let right = attempts.pop().unwrap();
    store.clear_attempt(right).await.unwrap();
    users.change_password(&ada, passwords, OK).await;
}

#[tokio::test]
async fn the_right_password_neither_adds_failures_nor_clears_those_of_the_second_factor() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa("ada@example.com").await;
    let code = users.code(&ada.secret, 0);
    let ada = Person::of(&users.log_in_with_code("ada@example.com", &code, OK).await);
    for _ in 0..3 {
        users
            .disable_mfa(&ada, "000000", UNPROCESSABLE_ENTITY)
            .await;
    }
    assert_eq!(users.failures().await, 3);
    let mut current = PASSWORD.to_owned();
    for n in 0..10 {
        let new = format!("{NEW_PASSWORD}{n}");
        // Also where the password is right and the limit on changes refuses the rest.
        let expected = if n < 5 { OK } else { TOO_MANY_REQUESTS };
        users
            .change_password(&ada, (&current, &new), expected)
            .await;
        assert_eq!(users.failures().await, 3, "after {n} changes");
        if expected == OK {
            current = new;
        }
    }
}
