//! Enabling and disabling MFA: `POST /api/auth/mfa/{enroll,confirm,disable}`.

use futures_util::future::join_all;
use http::Method;
use kernel::SignedDuration;
use serde_json::json;
use testkit::{Reply, status::*};

use crate::{
    fixture::{PASSWORD, Person, TestUsers},
    mfa_fixture::recovery_codes,
};

#[tokio::test]
async fn an_enrolment_returns_the_secret_in_three_forms_and_enables_nothing() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users.prove(&ada).await;
    let client = users.client_of(&ada);
    let reply = client
        .send(Method::POST, "/api/auth/mfa/enroll", None, OK)
        .await;
    let data = &reply.body["data"];
    let secret = data["secret"].as_str().unwrap();
    assert_eq!(secret.len(), 32);
    assert_eq!(
        data["otpauthUri"],
        format!(
            "otpauth://totp/Emporium:ada%40example.com?secret={secret}&issuer=Emporium\
             &algorithm=SHA1&digits=6&period=30"
        )
    );
    assert!(data["qrSvg"].as_str().unwrap().contains("<svg "));
    assert!(!users.mfa_enabled(&ada).await);
    let stored = users.stored_factors().await;
    assert!(!stored[0].to_string().contains(secret), "sealed");
    assert_eq!(stored[0]["expires_at"], 1_767_225_600 + 3600);
    users.log_in("ada@example.com", PASSWORD, OK).await;
    assert_eq!(
        users.table.event_types().await,
        ["user.registered", "user.email_verified"]
    );
    users
        .client()
        .post("/api/auth/mfa/enroll", &json!({}), UNAUTHORIZED)
        .await;
}

#[tokio::test]
async fn a_code_enables_mfa_and_the_session_stays_one_without_it() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa("ada@example.com").await;
    let other = users.register("bob@example.com").await;
    assert!(users.mfa_enabled(&ada.person).await);
    assert!(!users.mfa_enabled(&other).await);
    assert_eq!(ada.recovery_codes.len(), 10);
    let stored = users.stored_factors().await.remove(0);
    assert_eq!(stored["recovery_hashes"].as_array().unwrap().len(), 10);
    assert!(stored.get("expires_at").is_none(), "it does not expire");
    for code in &ada.recovery_codes {
        assert!(!stored.to_string().contains(code.as_str()));
    }
    let client = users.client_of(&ada.person);
    let sessions = client.get("/api/users/sessions", OK).await;
    assert_eq!(sessions.body["data"][0]["mfa"], false);
    let types = users.table.event_types().await;
    assert_eq!(
        types,
        [
            "user.registered",
            "user.email_verified",
            "user.mfa_enabled",
            "user.registered"
        ]
    );
    // A user has one factor at most.
    let client = users.client_of(&ada.person);
    let reply = client
        .post("/api/auth/mfa/enroll", &json!({}), CONFLICT)
        .await;
    assert_eq!(reply.body["code"], "mfa_enabled");
    let code = users.code(&ada.secret, 0);
    let reply = users.confirm_mfa(&ada.person, &code, CONFLICT).await;
    assert_eq!(reply.body["code"], "mfa_enabled");
}

#[tokio::test]
async fn a_new_enrolment_replaces_the_previous_one_and_expires_after_an_hour() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let reply = users.confirm_mfa(&ada, "123456", CONFLICT).await;
    assert_eq!(reply.body["code"], "mfa_not_enrolled");
    let first = users.enroll_mfa(&ada).await;
    let second = users.enroll_mfa(&ada).await;
    let of_first = users.code(&first, 0);
    let reply = users
        .confirm_mfa(&ada, &of_first, UNPROCESSABLE_ENTITY)
        .await;
    assert_eq!(reply.invalid_fields(), ["/code"]);
    users.advance(SignedDuration::from_hours(1));
    let too_late = users.code(&second, 0);
    let reply = users.confirm_mfa(&ada, &too_late, CONFLICT).await;
    assert_eq!(reply.body["code"], "mfa_not_enrolled");
    let ada = Person::of(&users.log_in("ada@example.com", PASSWORD, OK).await);
    let third = users.enroll_mfa(&ada).await;
    users.advance(SignedDuration::from_mins(59));
    users.confirm_mfa(&ada, &users.code(&third, 0), OK).await;
}

#[tokio::test]
async fn five_wrong_codes_lock_the_session_and_not_the_owner() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let secret = users.enroll_mfa(&ada).await;
    for _ in 0..5 {
        let old = users.code(&secret, -2);
        let reply = users.confirm_mfa(&ada, &old, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), ["/code"]);
    }
    // The session is locked: even the right code is rejected.
    let code = users.code(&secret, 0);
    let reply = users.confirm_mfa(&ada, &code, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/code"]);
    users.log_in("ada@example.com", PASSWORD, OK).await;
    assert!(!users.mfa_enabled(&ada).await);
    users.advance(SignedDuration::from_mins(15));
    users.confirm_mfa(&ada, &users.code(&secret, 0), OK).await;
}

#[tokio::test]
async fn a_malformed_code_is_invalid_and_not_counted_as_a_failure() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa("ada@example.com").await;
    for body in [
        json!({}),
        json!({"code": 123_456}),
        json!({"code": "12345"}),
        json!({"code": ""}),
    ] {
        let client = users.client_of(&ada.person);
        for path in ["/api/auth/mfa/confirm", "/api/auth/mfa/disable"] {
            let reply = client.post(path, &body, UNPROCESSABLE_ENTITY).await;
            assert_eq!(reply.invalid_fields(), ["/code"], "{body}");
        }
    }
    // A recovery code cannot confirm an enrolment.
    let recovery = &ada.recovery_codes[0];
    let reply = users
        .confirm_mfa(&ada.person, recovery, UNPROCESSABLE_ENTITY)
        .await;
    assert_eq!(reply.invalid_fields(), ["/code"]);
    assert_eq!(users.failures().await, 0);
}

#[tokio::test]
async fn of_concurrent_confirmations_one_succeeds_and_its_recovery_codes_are_valid() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let secret = users.enroll_mfa(&ada).await;
    let body = json!({"code": users.code(&secret, 0)}).to_string();
    let requests = (0..6).map(|_| {
        let client = users.client_of(&ada);
        client.exchange(Method::POST, "/api/auth/mfa/confirm", Some(body.clone()))
    });
    let replies = join_all(requests).await;
    let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == OK);
    assert_eq!(won.len(), 1, "{replies:?}");
    let is_told = |reply: &&Reply| reply.body["code"] == "mfa_enabled";
    assert!(lost.iter().all(is_told), "{lost:?}");
    for code in recovery_codes(won[0]) {
        users.log_in_with_code("ada@example.com", &code, OK).await;
    }
    let types = users.table.event_types().await;
    assert_eq!(
        types,
        ["user.registered", "user.email_verified", "user.mfa_enabled"]
    );
}

/// The SDK repeats a write whose reply was lost.
#[tokio::test]
async fn confirming_and_removing_a_factor_are_idempotent() {
    use contracts::events::UserMfaEnabled;
    use users::{
        domain::Otp,
        store::{Confirmation, EnrolFactorError},
    };
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let secret = users.enroll_mfa(&ada).await;
    let store = users.store();
    let now = users.clock().now();
    let user = users.user(ada.id).await;
    let factor = users.factor(&user).await;
    let event = || {
        users.table.event(&UserMfaEnabled {
            user_id: ada.id,
            email: ada.email.clone(),
        })
    };
    let (first, second) = (event(), event());
    let confirm = |enabled, hash: &str| {
        store.confirm_factor(Confirmation {
            user: &user,
            factor: &factor,
            time_step: 1,
            recovery_hashes: vec![hash.to_owned()],
            session_id: ada.session_id(),
            now,
            enabled,
        })
    };
    confirm(&first, "first").await.unwrap();
    confirm(&first, "first").await.unwrap();
    let rejected = confirm(&second, "second").await;
    assert!(
        matches!(rejected, Err(EnrolFactorError::AlreadyEnabled)),
        "{rejected:?}"
    );
    let stored = users.stored_factors().await;
    assert_eq!(stored[0]["recovery_hashes"], json!(["first"]));

    let factor = users.factor(&user).await;
    let verified = users.verify(&factor, &Otp::Code(users.code(&secret, 0)));
    let disabled = users.mfa_disabled(&user);
    for _ in 0..2 {
        let removed = (&factor, &verified);
        store
            .remove_factor(&user, ada.session_id(), removed, &disabled, now)
            .await
            .unwrap();
    }
    assert!(users.stored_factors().await.is_empty());
}

#[tokio::test]
async fn an_unused_code_or_recovery_code_disables_mfa() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa("ada@example.com").await;
    // The code that confirmed the enrolment is used up.
    let used = users.code(&ada.secret, -1);
    let reply = users
        .disable_mfa(&ada.person, &used, UNPROCESSABLE_ENTITY)
        .await;
    assert_eq!(reply.invalid_fields(), ["/code"]);
    let code = users.code(&ada.secret, 0);
    users.disable_mfa(&ada.person, &code, OK).await;
    assert!(users.stored_factors().await.is_empty());
    assert!(!users.mfa_enabled(&ada.person).await);
    users.log_in("ada@example.com", PASSWORD, OK).await;
    let reply = users.disable_mfa(&ada.person, &code, CONFLICT).await;
    assert_eq!(reply.body["code"], "mfa_not_enrolled");

    let bob = users.register_with_mfa("bob@example.com").await;
    users
        .log_in_with_code("bob@example.com", &bob.recovery_codes[3], OK)
        .await;
    users
        .disable_mfa(&bob.person, &bob.recovery_codes[3], UNPROCESSABLE_ENTITY)
        .await;
    users
        .disable_mfa(&bob.person, &bob.recovery_codes[4], OK)
        .await;
    let types = users.table.event_types().await;
    let off = types.iter().filter(|name| *name == "user.mfa_disabled");
    assert_eq!(off.count(), 2);
    // Another enrolment has another secret.
    assert_ne!(users.enroll_mfa(&bob.person).await, bob.secret);
}

#[tokio::test]
async fn five_wrong_codes_lock_disabling_mfa() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa("ada@example.com").await;
    for _ in 0..5 {
        let old = users.code(&ada.secret, -2);
        users
            .disable_mfa(&ada.person, &old, UNPROCESSABLE_ENTITY)
            .await;
    }
    let code = users.code(&ada.secret, 0);
    users
        .disable_mfa(&ada.person, &code, UNPROCESSABLE_ENTITY)
        .await;
    users
        .disable_mfa(&ada.person, &ada.recovery_codes[0], UNPROCESSABLE_ENTITY)
        .await;
    assert!(users.mfa_enabled(&ada.person).await);
    users.advance(SignedDuration::from_mins(15));
    let code = users.code(&ada.secret, 0);
    users.disable_mfa(&ada.person, &code, OK).await;
}

#[tokio::test]
async fn a_removal_decided_before_the_lock_is_rejected() {
    use users::{
        domain::{Guess, Otp, Source},
        store::RemoveFactorError,
    };
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa("ada@example.com").await;
    let store = users.store();
    let now = users.clock().now();
    let user = users.user(ada.person.id).await;
    let factor = users.factor(&user).await;
    let verified = users.verify(&factor, &Otp::Code(users.code(&ada.secret, 0)));
    let session = ada.person.session_id();
    let guess = Guess {
        email: "ada@example.com",
        source: &Source::Session(session),
    };
    for _ in 0..5 {
        store.record_failure(guess, now).await.unwrap();
    }
    let disabled = users.mfa_disabled(&user);
    let removed = (&factor, &verified);
    let rejected = store.remove_factor(&user, session, removed, &disabled, now);
    let rejected = rejected.await;
    assert!(
        matches!(rejected, Err(RemoveFactorError::Locked)),
        "{rejected:?}"
    );
}

/// As the right one of many parallel guesses is: all of them read before any is recorded.
#[tokio::test]
async fn a_confirmation_decided_before_the_lock_is_rejected() {
    use users::{
        domain::{Guess, Source},
        store::{Confirmation, EnrolFactorError},
    };
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users.enroll_mfa(&ada).await;
    let store = users.store();
    let now = users.clock().now();
    let user = users.user(ada.id).await;
    let factor = users.factor(&user).await;
    let source = &Source::Session(ada.session_id());
    let email = "ada@example.com";
    for _ in 0..5 {
        let guess = Guess { email, source };
        store.record_failure(guess, now).await.unwrap();
    }
    let confirmation = Confirmation {
        user: &user,
        factor: &factor,
        time_step: 1,
        recovery_hashes: vec!["hash".into()],
        session_id: ada.session_id(),
        now,
        enabled: &users.mfa_disabled(&user),
    };
    let rejected = store.confirm_factor(confirmation).await;
    assert!(
        matches!(rejected, Err(EnrolFactorError::Locked)),
        "{rejected:?}"
    );
    assert!(!users.mfa_enabled(&ada).await);
}
