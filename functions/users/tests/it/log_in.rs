//! `POST /api/auth/login` with a password alone.

use futures_util::future::join_all;
use kernel::SignedDuration;
use serde_json::{Value, json};
use testkit::status::*;
use users::{
    domain::{Registration, Session},
    store::StoreLogInError,
};

use crate::{
    fixture::{PASSWORD, Person, TestUsers, password_log_in},
    guess_fixture::{ORIGIN, guess, source},
};

const WRONG: &str = "wrong horse battery";

#[tokio::test]
async fn the_right_password_logs_in_however_the_email_is_written() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users.advance(SignedDuration::from_hours(1));
    for path in ["/api/auth/login", "/api/users/login"] {
        let body = json!({"email": " ADA@example.com ", "password": PASSWORD});
        let reply = users.client().post(path, &body, OK).await;
        let again = Person::of(&reply);
        assert_eq!(again.id, ada.id);
        assert_ne!(again.session_id(), ada.session_id());
        assert_eq!(reply.body["data"]["expiresIn"], 600);
        assert_eq!(users.authorize(&again.token).await, "user");
    }
    let stored = users.stored_users().await;
    assert_eq!(stored[0]["last_login_at"], "2026-01-01T01:00:00Z");
    assert_eq!(stored[0]["last_login_ip"], "203.0.113.7");
    assert_eq!(users.authorize(&ada.token).await, "token_expired");
}

#[tokio::test]
async fn every_failed_login_has_the_same_reply() {
    let users = TestUsers::new().await;
    users.register("ada@example.com").await;
    let bob = users.register("bob@example.com").await;
    users
        .update(bob.id, &json!({"status": "suspended"}), OK)
        .await;
    let mut bodies = Vec::new();
    for (email, password) in [
        ("ada@example.com", WRONG),
        ("ada@example.com", "correct horse battery "),
        ("nobody@example.com", PASSWORD),
        ("not an address", PASSWORD),
        ("bob@example.com", PASSWORD),
    ] {
        let reply = users.log_in(email, password, UNAUTHORIZED).await;
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        let mut body = reply.body;
        body["requestId"] = Value::Null;
        bodies.push(body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
}

#[tokio::test]
async fn five_failures_lock_a_network_for_fifteen_minutes() {
    let users = TestUsers::new().await;
    users.register("ada@example.com").await;
    // An email without an account is counted and locked just the same.
    for email in ["ada@example.com", "nobody@example.com"] {
        for _ in 0..5 {
            users.log_in(email, WRONG, UNAUTHORIZED).await;
        }
    }
    users
        .log_in("ADA@example.com", PASSWORD, UNAUTHORIZED)
        .await;
    users.advance(SignedDuration::from_secs(15 * 60 - 1));
    users
        .log_in("ada@example.com", PASSWORD, UNAUTHORIZED)
        .await;
    users.advance(SignedDuration::from_secs(1));
    users.log_in("ada@example.com", PASSWORD, OK).await;
    let counted = users.stored_failures().await;
    assert_eq!(counted.len(), 2, "the login cleared its own failures only");
    for item in &counted {
        assert_eq!(item["failures"].as_array().unwrap().len(), 5);
    }
    assert!(!format!("{counted:?}").contains("example.com"));
}

#[tokio::test]
async fn further_guesses_do_not_extend_the_lock() {
    let users = TestUsers::new().await;
    users.register("ada@example.com").await;
    for _ in 0..5 {
        users.log_in("ada@example.com", WRONG, UNAUTHORIZED).await;
    }
    users.advance(SignedDuration::from_mins(14));
    users.log_in("ada@example.com", WRONG, UNAUTHORIZED).await;
    users.advance(SignedDuration::from_mins(1));
    users.log_in("ada@example.com", PASSWORD, OK).await;
}

#[tokio::test]
async fn failures_are_cleared_by_a_login_and_expire() {
    let users = TestUsers::new().await;
    users.register("ada@example.com").await;
    for _ in 0..3 {
        for _ in 0..4 {
            users.log_in("ada@example.com", WRONG, UNAUTHORIZED).await;
        }
        users.log_in("ada@example.com", PASSWORD, OK).await;
    }
    for _ in 0..3 {
        for _ in 0..4 {
            users.log_in("ada@example.com", WRONG, UNAUTHORIZED).await;
        }
        users.advance(SignedDuration::from_mins(15));
    }
    users.log_in("ada@example.com", PASSWORD, OK).await;
}

#[tokio::test]
async fn concurrent_guesses_do_not_get_past_the_lock() {
    let users = TestUsers::new().await;
    users.register("ada@example.com").await;
    for _ in 0..5 {
        users.log_in("ada@example.com", WRONG, UNAUTHORIZED).await;
    }
    let guesses =
        join_all((0..12).map(|_| users.log_in("ada@example.com", PASSWORD, UNAUTHORIZED)));
    guesses.await;
    assert_eq!(users.failures().await, 5);

    users.advance(SignedDuration::from_mins(15));
    let wrong = join_all((0..12).map(|_| users.log_in("ada@example.com", WRONG, UNAUTHORIZED)));
    wrong.await;
    // Those of all networks together are remembered for longer.
    let counted = users.stored_failures().await;
    let mut counted: Vec<_> = counted
        .iter()
        .map(|item| item["failures"].as_array().unwrap().len())
        .collect();
    counted.sort_unstable();
    assert_eq!(counted, [5, 10], "none is recorded past the lock");
    users
        .log_in("ada@example.com", PASSWORD, UNAUTHORIZED)
        .await;
}

#[tokio::test]
async fn a_login_decided_before_the_lock_is_rejected() {
    use users::credentials::passwords::PasswordCheck;
    let users = TestUsers::new().await;
    users.register("ada@example.com").await;
    let store = users.store();
    let now = users.clock().now();
    let candidate = store.candidate("ada@example.com", ORIGIN).await.unwrap();
    let right = PasswordCheck::Match {
        needs_rehash: false,
    };
    let authenticated = candidate.authenticate(right, source(), Registration::Open, now);
    let user = authenticated.expect("not locked yet").user;
    for _ in 0..5 {
        store
            .record_failure(guess("ada@example.com"), now)
            .await
            .unwrap();
    }
    let session = users.new_session(&user);
    let rejected = store.log_in(password_log_in(&user, &session)).await;
    assert!(
        matches!(rejected, Err(StoreLogInError::Locked)),
        "{rejected:?}"
    );
    users.advance(SignedDuration::from_mins(15));
    let later = Session {
        created_at: users.clock().now(),
        ..session
    };
    // Storing it twice, as after a lost reply, is the same login.
    for _ in 0..2 {
        store.log_in(password_log_in(&user, &later)).await.unwrap();
    }
    assert_eq!(users.sessions().await.len(), 2);
}

#[tokio::test]
async fn a_login_decided_before_the_account_changed_is_rejected() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let user = users.user(ada.id).await;
    let session = users.new_session(&user);
    // Not even once the account is active again: its sessions have another epoch.
    for status in ["suspended", "active"] {
        users.update(ada.id, &json!({ "status": status }), OK).await;
        let rejected = users.store().log_in(password_log_in(&user, &session)).await;
        assert!(
            matches!(rejected, Err(StoreLogInError::Changed)),
            "{status}: {rejected:?}"
        );
    }
}

#[tokio::test]
async fn concurrent_logins_of_one_user_all_succeed() {
    let users = TestUsers::new().await;
    users.register("ada@example.com").await;
    let replies = join_all((0..8).map(|_| users.log_in("ada@example.com", PASSWORD, OK))).await;
    let mut sessions: Vec<_> = replies
        .iter()
        .map(|reply| Person::of(reply).session_id())
        .collect();
    sessions.sort();
    sessions.dedup();
    assert_eq!(sessions.len(), 8);
}

#[tokio::test]
async fn an_outdated_password_hash_is_replaced_by_a_login() {
    use argon2::{
        Argon2, Params,
        password_hash::{PasswordHasher, phc},
    };
    let users = TestUsers::new().await;
    users.register("ada@example.com").await;
    let user = users.stored_users().await.remove(0);
    let weak = Argon2::from(Params::new(8_192, 1, 1, None).unwrap());
    let weak: phc::PasswordHash = weak.hash_password(PASSWORD.as_bytes()).unwrap();
    let key = dynamo::Key::new(user["pk"].as_str().unwrap(), "USER");
    let old =
        dynamo::Expression::update("SET password_hash = :old").value(":old", weak.to_string());
    users.table.table().update::<Value>(key, old).await.unwrap();

    users.log_in("ada@example.com", WRONG, UNAUTHORIZED).await;
    users.log_in("ada@example.com", PASSWORD, OK).await;
    let user = users.stored_users().await.remove(0);
    let hash = user["password_hash"].as_str().unwrap();
    assert!(
        hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{hash}"
    );
    users.log_in("ada@example.com", PASSWORD, OK).await;
}

#[tokio::test]
async fn every_invalid_field_is_reported_at_once() {
    let users = TestUsers::new().await;
    for (body, fields) in [
        (json!({}), vec!["/email", "/password"]),
        (
            json!({"email": "", "password": ""}),
            vec!["/email", "/password"],
        ),
        (
            json!({"email": "a@b.c", "password": "x".repeat(129)}),
            vec!["/password"],
        ),
        (
            json!({"email": "a@b.c", "password": "x", "otp": "1"}),
            vec!["/otp"],
        ),
    ] {
        let reply = users
            .client()
            .post("/api/auth/login", &body, UNPROCESSABLE_ENTITY)
            .await;
        assert_eq!(reply.invalid_fields(), fields);
    }
}

/// `make timing` measures the times themselves over HTTP; this notices at once
/// when one of the failures does other work.
#[tokio::test]
async fn every_failed_login_makes_the_same_calls() {
    let mut users = TestUsers::new().await;
    users.register("known@example.com").await;
    users.register("locked@example.com").await;
    let suspended = users.register("suspended@example.com").await;
    users
        .update(suspended.id, &json!({"status": "suspended"}), OK)
        .await;
    for _ in 0..5 {
        users
            .log_in("locked@example.com", WRONG, UNAUTHORIZED)
            .await;
    }

    let (calls, client) = users.recorded("log-in").await;
    for (email, password) in [
        ("known@example.com", WRONG),
        ("unknown@example.com", PASSWORD),
        ("locked@example.com", PASSWORD),
        ("suspended@example.com", PASSWORD),
    ] {
        let body = json!({"email": email, "password": password});
        client.post("/api/auth/login", &body, UNAUTHORIZED).await;
        let expected = [
            "UpdateItem",
            "BatchGetItem",
            "Query",
            "UpdateItem",
            "UpdateItem",
        ];
        assert_eq!(calls.take(), expected, "{email}");
    }
}
