use std::sync::Arc;

use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};
use testkit::status::*;

use crate::{
    calls::counted,
    shop::{MFA_SECRET, PASSWORD, Person, Shop, versions},
};

const WRONG: &str = "wrong horse battery";

#[tokio::test]
async fn the_right_password_signs_in_whichever_way_the_address_is_written() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    shop.clock.advance(SignedDuration::from_hours(1));
    for path in ["/api/auth/login", "/api/users/login"] {
        let body = json!({"email": " ADA@example.com ", "password": PASSWORD});
        let reply = shop.log_in.post(path, &body, OK).await;
        let again = Person::of(&reply);
        assert_eq!(again.id, ada.id);
        assert_ne!(again.session_id(), ada.session_id());
        assert_eq!(reply.body["data"]["expiresIn"], 600);
        assert_eq!(shop.verdict(&again.token).await, "user");
    }
    let users: Vec<Value> = shop.table.items_of("USER#", "USER").await;
    assert_eq!(users[0]["last_login_at"], "2026-01-01T01:00:00Z");
    assert_eq!(users[0]["last_login_ip"], "203.0.113.7");
    assert_eq!(shop.verdict(&ada.token).await, "token_expired");
}

#[tokio::test]
async fn whatever_is_wrong_has_the_same_reply() {
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    let bob = shop.register("bob@example.com").await;
    shop.update(bob.id, &json!({"status": "suspended"}), OK)
        .await;
    let mut bodies = Vec::new();
    for (email, password) in [
        ("ada@example.com", WRONG),
        ("ada@example.com", "correct horse battery "),
        ("nobody@example.com", PASSWORD),
        ("not an address", PASSWORD),
        ("bob@example.com", PASSWORD),
    ] {
        let reply = shop.log_in(email, password, UNAUTHORIZED).await;
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        let mut body = reply.body;
        body["requestId"] = Value::Null;
        bodies.push(body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
}

#[tokio::test]
async fn five_failures_lock_an_address_for_fifteen_minutes() {
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    // An address that nobody has is counted and locked just the same.
    for email in ["ada@example.com", "nobody@example.com"] {
        for _ in 0..5 {
            shop.log_in(email, WRONG, UNAUTHORIZED).await;
        }
    }
    shop.log_in("ADA@example.com", PASSWORD, UNAUTHORIZED).await;
    shop.clock.advance(SignedDuration::from_secs(15 * 60 - 1));
    shop.log_in("ada@example.com", PASSWORD, UNAUTHORIZED).await;
    shop.clock.advance(SignedDuration::from_secs(1));
    shop.log_in("ada@example.com", PASSWORD, OK).await;
    let counted: Vec<Value> = shop.table.items_of("ATTEMPTS#", "ATTEMPTS").await;
    assert_eq!(counted.len(), 1, "ada's are forgotten, nobody's are not");
    assert_eq!(counted[0]["failures"].as_array().unwrap().len(), 5);
    assert!(!format!("{counted:?}").contains("example.com"));
}

#[tokio::test]
async fn guessing_on_does_not_lock_for_longer() {
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    for _ in 0..5 {
        shop.log_in("ada@example.com", WRONG, UNAUTHORIZED).await;
    }
    shop.clock.advance(SignedDuration::from_mins(14));
    shop.log_in("ada@example.com", WRONG, UNAUTHORIZED).await;
    shop.clock.advance(SignedDuration::from_mins(1));
    shop.log_in("ada@example.com", PASSWORD, OK).await;
}

#[tokio::test]
async fn a_success_forgets_the_failures_and_so_does_time() {
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    for _ in 0..3 {
        for _ in 0..4 {
            shop.log_in("ada@example.com", WRONG, UNAUTHORIZED).await;
        }
        shop.log_in("ada@example.com", PASSWORD, OK).await;
    }
    for _ in 0..3 {
        for _ in 0..4 {
            shop.log_in("ada@example.com", WRONG, UNAUTHORIZED).await;
        }
        shop.clock.advance(SignedDuration::from_mins(15));
    }
    shop.log_in("ada@example.com", PASSWORD, OK).await;
}

#[tokio::test]
async fn guessing_all_at_once_gains_nothing() {
    let shop = Arc::new(Shop::open().await);
    shop.register("ada@example.com").await;
    for _ in 0..5 {
        shop.log_in("ada@example.com", WRONG, UNAUTHORIZED).await;
    }
    let guesses = join_all((0..12).map(|_| shop.log_in("ada@example.com", PASSWORD, UNAUTHORIZED)));
    guesses.await;
    let counted: Vec<Value> = shop.table.items_of("ATTEMPTS#", "ATTEMPTS").await;
    assert_eq!(counted[0]["failures"].as_array().unwrap().len(), 5);

    shop.clock.advance(SignedDuration::from_mins(15));
    let wrong = join_all((0..12).map(|_| shop.log_in("ada@example.com", WRONG, UNAUTHORIZED)));
    wrong.await;
    let counted: Vec<Value> = shop.table.items_of("ATTEMPTS#", "ATTEMPTS").await;
    assert_eq!(
        counted[0]["failures"].as_array().unwrap().len(),
        5,
        "none past the lock"
    );
    shop.log_in("ada@example.com", PASSWORD, UNAUTHORIZED).await;
}

#[tokio::test]
async fn a_right_guess_that_was_read_before_the_lock_does_not_get_past_it() {
    use users::{
        passwords::Verdict,
        store::{LogIn, Store, StoreLogInError},
    };
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    let store = Store::new(shop.table.table());
    let now = shop.clock.now();
    let candidate = store.candidate("ada@example.com").await.unwrap();
    let right = Verdict::Right { outdated: false };
    let user = candidate.admitted(right, now).expect("not locked yet").user;
    for _ in 0..5 {
        store.count_failure("ada@example.com", now).await.unwrap();
    }
    let session =
        users::domain::Session::begin(kernel::testkit::new_id::<SessionId>(), &user, "x".into(), now);
    let log_in = || LogIn {
        user: &user,
        returned: None,
        session: &session,
        superseded: &[],
        factor: None,
        rehashed: None,
        ip: None,
    };
    let refused = store.log_in(log_in()).await;
    assert!(
        matches!(refused, Err(StoreLogInError::Locked)),
        "{refused:?}"
    );
    shop.clock.advance(SignedDuration::from_mins(15));
    let later = users::domain::Session {
        created_at: shop.clock.now(),
        ..session.clone()
    };
    let log_in = || LogIn {
        user: &user,
        returned: None,
        session: &later,
        superseded: &[],
        factor: None,
        rehashed: None,
        ip: None,
    };
    store.log_in(log_in()).await.unwrap();
    // The same again, as after a lost reply, is the same log-in.
    store.log_in(log_in()).await.unwrap();
    assert_eq!(shop.sessions().await.len(), 2);
}

#[tokio::test]
async fn a_log_in_decided_on_an_account_that_changed_is_refused() {
    use users::store::{LogIn, Store, StoreLogInError};
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let store = Store::new(shop.table.table());
    let user = store.user(ada.id).await.unwrap().unwrap();
    shop.update(ada.id, &json!({"status": "suspended"}), OK)
        .await;
    let session = users::domain::Session::begin(
        kernel::testkit::new_id::<SessionId>(),
        &user,
        "x".into(),
        shop.clock.now(),
    );
    let log_in = || LogIn {
        user: &user,
        returned: None,
        session: &session,
        superseded: &[],
        factor: None,
        rehashed: None,
        ip: None,
    };
    let refused = store.log_in(log_in()).await;
    assert!(
        matches!(refused, Err(StoreLogInError::Changed)),
        "{refused:?}"
    );
    // Nor when it is active again: its sessions are of another epoch.
    shop.update(ada.id, &json!({"status": "active"}), OK).await;
    let refused = store.log_in(log_in()).await;
    assert!(
        matches!(refused, Err(StoreLogInError::Changed)),
        "{refused:?}"
    );
}

#[tokio::test]
async fn one_person_may_sign_in_on_many_devices_at_once() {
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    let replies = join_all((0..8).map(|_| shop.log_in("ada@example.com", PASSWORD, OK))).await;
    let mut sessions: Vec<_> = replies
        .iter()
        .map(|reply| Person::of(reply).session_id())
        .collect();
    sessions.sort();
    sessions.dedup();
    assert_eq!(sessions.len(), 8);
}

#[tokio::test]
async fn an_outdated_hash_is_replaced_by_the_way() {
    use argon2::{
        Argon2, Params,
        password_hash::{PasswordHasher, phc},
    };
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    let user: Value = shop.table.items_of("USER#", "USER").await.remove(0);
    let weak = Argon2::from(Params::new(8_192, 1, 1, None).unwrap());
    let weak: phc::PasswordHash = weak.hash_password(PASSWORD.as_bytes()).unwrap();
    let key = dynamo::Key::new(user["pk"].as_str().unwrap(), "USER");
    let old =
        dynamo::Expression::update("SET password_hash = :old").value(":old", weak.to_string());
    shop.table.table().update::<Value>(key, old).await.unwrap();

    shop.log_in("ada@example.com", WRONG, UNAUTHORIZED).await;
    shop.log_in("ada@example.com", PASSWORD, OK).await;
    let user: Value = shop.table.items_of("USER#", "USER").await.remove(0);
    let hash = user["password_hash"].as_str().unwrap();
    assert!(
        hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{hash}"
    );
    shop.log_in("ada@example.com", PASSWORD, OK).await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_at_once() {
    let shop = Shop::open().await;
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
        let reply = shop
            .log_in
            .post("/api/auth/login", &body, UNPROCESSABLE_ENTITY)
            .await;
        assert_eq!(reply.invalid_fields(), fields);
    }
}

/// The time itself is measured over HTTP, by the promise's test. This one
/// notices at once when one of them does other work.
#[tokio::test]
async fn every_refusal_makes_the_same_calls() {
    let shop = Shop::open().await;
    shop.register("known@example.com").await;
    shop.register("locked@example.com").await;
    let ended = shop.register("suspended@example.com").await;
    shop.update(ended.id, &json!({"status": "suspended"}), OK)
        .await;
    for _ in 0..5 {
        shop.log_in("locked@example.com", WRONG, UNAUTHORIZED).await;
    }

    let (calls, counted) = counted(&shop);
    let client = shop
        .another_log_in(counted, versions(MFA_SECRET, None))
        .await;
    for (email, password) in [
        ("known@example.com", WRONG),
        ("unknown@example.com", PASSWORD),
        ("locked@example.com", PASSWORD),
        ("suspended@example.com", PASSWORD),
    ] {
        let body = json!({"email": email, "password": password});
        client.post("/api/auth/login", &body, UNAUTHORIZED).await;
        let made = calls.take();
        assert_eq!(
            made,
            ["UpdateItem", "BatchGetItem", "Query", "UpdateItem"],
            "{email}"
        );
    }
}
