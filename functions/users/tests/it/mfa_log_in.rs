//! `POST /api/auth/login` with a second factor.

use futures_util::future::join_all;
use http::Method;
use kernel::SignedDuration;
use serde_json::{Value, json};
use testkit::{Reply, status::*};
use users::{
    credentials::passwords::PasswordCheck,
    domain::{Otp, Registration},
    store::{Authenticated, LogIn, RemoveFactorError, StoreLogInError},
};

use crate::{
    fixture::{MFA_SECRET, NEW_PASSWORD, PASSWORD, Person, TestUsers, password_log_in},
    guess_fixture::{ORIGIN, guess, source},
    mfa_fixture::log_in_body,
};

const ADA: &str = "ada@example.com";
const PATH: &str = "/api/auth/login";
const WRONG: &str = "wrong horse battery";

impl TestUsers {
    /// The code of the problem with which a login is rejected.
    async fn rejection(&self, body: &Value) -> Value {
        let reply = self.client().post(PATH, body, UNAUTHORIZED).await;
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        reply.body["code"].clone()
    }

    /// Ada, as a login with the right password finds her.
    async fn authenticated(&self) -> Authenticated {
        let candidate = self.store().candidate(ADA, ORIGIN).await.unwrap();
        let right = PasswordCheck::Match {
            needs_rehash: false,
        };
        let now = self.clock().now();
        let authenticated = candidate.authenticate(right, source(), Registration::Open, now);
        authenticated.expect("the password is right")
    }
}

#[tokio::test]
async fn the_password_alone_is_asked_for_a_code_and_counts_no_failure() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa(ADA).await;
    let alone = json!({"email": ADA, "password": PASSWORD});
    assert_eq!(users.rejection(&alone).await, "mfa_required");
    let null = json!({"email": ADA, "password": PASSWORD, "otp": null});
    assert_eq!(users.rejection(&null).await, "mfa_required");
    assert_eq!(users.failures().await, 0);
    let now = users.code(&ada.secret, 0);
    let reply = users.log_in_with_code(ADA, &now, OK).await;
    assert_eq!(reply.body["data"]["user"]["mfaEnabled"], true);
    let again = Person::of(&reply);
    let client = users.client_of(&again);
    let sessions = client.get("/api/users/sessions", OK).await;
    assert_eq!(sessions.body["data"][0]["current"], true);
    assert_eq!(sessions.body["data"][0]["mfa"], true);
}

#[tokio::test]
async fn mfa_is_not_revealed_before_the_password_is_right() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa(ADA).await;
    users.register("bob@example.com").await;
    let now = users.code(&ada.secret, 0);
    for (email, otp) in [
        (ADA, &*now),
        (ADA, "000000"),
        ("bob@example.com", "000000"),
        ("nobody@example.com", "000000"),
    ] {
        let code = users.rejection(&log_in_body(email, WRONG, otp)).await;
        assert_eq!(code, "invalid_credentials", "{email} {otp}");
    }
    let suspended = json!({"status": "suspended"});
    users.update(ada.person.id, &suspended, OK).await;
    let code = users.rejection(&log_in_body(ADA, PASSWORD, &now)).await;
    assert_eq!(code, "invalid_credentials");
}

#[tokio::test]
async fn a_code_is_ignored_without_a_second_factor() {
    let users = TestUsers::new().await;
    let ada = users.register(ADA).await;
    users.log_in_with_code(ADA, "123456", OK).await;
    // Nor is it checked while an enrolment is not confirmed.
    users.enroll_mfa(&ada).await;
    users.log_in_with_code(ADA, "123456", OK).await;
    users.log_in(ADA, PASSWORD, OK).await;
}

#[tokio::test]
async fn a_code_is_valid_once_and_one_time_step_before_and_after() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa(ADA).await;
    let at = |steps| users.code(&ada.secret, steps);
    users.log_in_with_code(ADA, &at(-1), UNAUTHORIZED).await; // used by the enrolment
    users.log_in_with_code(ADA, &at(2), UNAUTHORIZED).await;
    users.log_in_with_code(ADA, &at(0), OK).await;
    users.log_in_with_code(ADA, &at(0), UNAUTHORIZED).await;
    users.log_in_with_code(ADA, &at(1), OK).await;
    // Codes before the last used one are used up as well.
    users.log_in_with_code(ADA, &at(0), UNAUTHORIZED).await;
    users.advance(SignedDuration::from_mins(2));
    users
        .log_in_with_code(ADA, &users.code(&ada.secret, -2), UNAUTHORIZED)
        .await;
    users
        .log_in_with_code(ADA, &users.code(&ada.secret, -1), OK)
        .await;
}

#[tokio::test]
async fn each_recovery_code_is_valid_once_including_the_last() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa(ADA).await;
    for code in &ada.recovery_codes {
        let typed = code.to_lowercase().replace('-', " ");
        users.log_in_with_code(ADA, &typed, OK).await;
        users.log_in_with_code(ADA, code, UNAUTHORIZED).await;
    }
    assert!(
        users.stored_factors().await[0]
            .get("recovery_hashes")
            .is_none()
    );
    // The app still works when no recovery code is left.
    users.advance(SignedDuration::from_mins(15));
    let now = users.code(&ada.secret, 0);
    users.log_in_with_code(ADA, &now, OK).await;
}

#[tokio::test]
async fn a_wrong_code_counts_towards_the_lock_and_the_password_does_not_clear_it() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa(ADA).await;
    let alone = json!({"email": ADA, "password": PASSWORD});
    for failures in 1..=5 {
        let old = users.code(&ada.secret, -2);
        users.log_in_with_code(ADA, &old, UNAUTHORIZED).await;
        assert_eq!(users.failures().await, failures);
        if failures < 5 {
            assert_eq!(users.rejection(&alone).await, "mfa_required");
            assert_eq!(users.failures().await, failures);
        }
    }
    // Locked: nothing is accepted, and nothing is revealed.
    let now = users.code(&ada.secret, 0);
    for otp in [&*now, &*ada.recovery_codes[0], "000000"] {
        let code = users.rejection(&log_in_body(ADA, PASSWORD, otp)).await;
        assert_eq!(code, "invalid_credentials");
    }
    assert_eq!(users.rejection(&alone).await, "invalid_credentials");
    users.advance(SignedDuration::from_mins(15));
    let now = users.code(&ada.secret, 0);
    users.log_in_with_code(ADA, &now, OK).await;
    assert_eq!(users.failures().await, 0, "the login cleared them");
}

#[tokio::test]
async fn a_code_sent_concurrently_logs_in_once() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa(ADA).await;
    let before = users.sessions().await.len();
    for otp in [&*users.code(&ada.secret, 0), &*ada.recovery_codes[0]] {
        // As many as may be wrong before the email is locked.
        let requests = (0..5).map(|_| {
            let body = Some(log_in_body(ADA, PASSWORD, otp).to_string());
            users.client().exchange(Method::POST, PATH, body)
        });
        let replies = join_all(requests).await;
        let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == OK);
        assert_eq!(won.len(), 1, "{replies:?}");
        let is_rejected = |reply: &&Reply| reply.body["code"] == "invalid_otp";
        assert!(lost.iter().all(is_rejected), "{lost:?}");
        users.advance(SignedDuration::from_mins(15));
    }
    assert_eq!(users.sessions().await.len(), before + 2);
}

#[tokio::test]
async fn a_login_decided_before_mfa_was_enabled_is_rejected() {
    let users = TestUsers::new().await;
    let ada = users.register(ADA).await;
    let user = users.authenticated().await.user;
    users.enable_mfa(&ada).await;
    let session = users.new_session(&user);
    let rejected = users.store().log_in(password_log_in(&user, &session)).await;
    assert!(
        matches!(rejected, Err(StoreLogInError::Changed)),
        "{rejected:?}"
    );
}

/// Two requests verify the same code; whatever the slower one does with it is
/// rejected, even if nothing else has changed.
#[tokio::test]
async fn a_code_that_was_used_since_it_was_verified_is_rejected() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa(ADA).await;
    let code = users.code(&ada.secret, 0);
    let recovery = ada.recovery_codes[0].clone();
    for (otp, typed) in [
        (Otp::Code(code.clone()), code),
        (Otp::RecoveryCode(recovery.replace('-', "")), recovery),
    ] {
        let user = users.user(ada.person.id).await;
        let factor = users.factor(&user).await;
        let verified = users.verify(&factor, &otp);
        users.log_in_with_code(ADA, &typed, OK).await;

        let user = users.user(ada.person.id).await;
        let session = users.new_session(&user);
        let log_in = LogIn {
            factor: Some((&factor, &verified)),
            ..password_log_in(&user, &session)
        };
        let rejected = users.store().log_in(log_in).await;
        assert!(
            matches!(rejected, Err(StoreLogInError::Changed)),
            "{rejected:?}"
        );
        let (disabled, now) = (users.mfa_disabled(&user), users.clock().now());
        let (session, removed) = (ada.person.session_id(), (&factor, &verified));
        let store = users.store();
        let rejected = store.remove_factor(&user, session, removed, &disabled, now);
        let rejected = rejected.await;
        assert!(
            matches!(rejected, Err(RemoveFactorError::Changed)),
            "{rejected:?}"
        );
    }
}

/// The SDK repeats a write whose reply was lost: that is the same login, not
/// one with a used code.
#[tokio::test]
async fn storing_a_login_twice_is_idempotent() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa(ADA).await;
    let authenticated = users.authenticated().await;
    let factor = authenticated.factor.expect("MFA is enabled");
    let verified = users.verify(&factor, &Otp::Code(users.code(&ada.secret, 0)));
    let session = users.new_session(&authenticated.user);
    for _ in 0..2 {
        let log_in = LogIn {
            factor: Some((&factor, &verified)),
            ..password_log_in(&authenticated.user, &session)
        };
        users.store().log_in(log_in).await.unwrap();
    }
}

#[tokio::test]
async fn a_login_between_two_rotations_reseals_the_secret_and_recovery_codes_work_without() {
    const SECOND: &str = "the second secret of second factors";
    const THIRD: &str = "the third secret of second factors";
    const BOB: &str = "bob@example.com";
    let mut users = TestUsers::new().await;
    let ada = users.register_with_mfa(ADA).await;
    let bob = users.register_with_mfa(BOB).await;

    users
        .table
        .set_secret("MFA_SECRET", SECOND, Some(MFA_SECRET));
    let client = users.new_instances().client();
    let body = log_in_body(ADA, PASSWORD, &users.code(&ada.secret, 0));
    client.post(PATH, &body, OK).await;

    users.table.set_secret("MFA_SECRET", THIRD, Some(SECOND));
    let client = users.new_instances().client();
    let body = log_in_body(ADA, PASSWORD, &users.code(&ada.secret, 1));
    client.post(PATH, &body, OK).await;
    let body = log_in_body(BOB, PASSWORD, &users.code(&bob.secret, 0));
    client.post(PATH, &body, INTERNAL_SERVER_ERROR).await;
    let body = log_in_body(BOB, PASSWORD, &bob.recovery_codes[0]);
    client.post(PATH, &body, OK).await;
}

#[tokio::test]
async fn a_password_reset_unlocks_and_does_not_skip_the_second_factor() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa(ADA).await;
    for _ in 0..5 {
        let old = users.code(&ada.secret, -2);
        users.log_in_with_code(ADA, &old, UNAUTHORIZED).await;
    }
    let token = users.request_password_reset(ADA).await;
    users.reset_password(&token, NEW_PASSWORD, OK).await;
    let network = users.store().login_failures(guess(ADA)).await.unwrap();
    assert!(!network.is_locked(users.clock().now()));
    let alone = json!({"email": ADA, "password": NEW_PASSWORD});
    assert_eq!(users.rejection(&alone).await, "mfa_required");
    let with_code = log_in_body(ADA, NEW_PASSWORD, &users.code(&ada.secret, 0));
    users.client().post(PATH, &with_code, OK).await;
}

#[tokio::test]
async fn the_second_factor_costs_no_additional_read() {
    let mut users = TestUsers::new().await;
    let ada = users.register_with_mfa(ADA).await;
    let (calls, client) = users.recorded("log-in").await;
    let body = log_in_body(ADA, PASSWORD, &users.code(&ada.secret, 0));
    for (status, last) in [
        (OK, &["TransactWriteItems"][..]),
        // Reads the lock again before revealing that the password is right.
        (UNAUTHORIZED, &["BatchGetItem", "UpdateItem", "UpdateItem"]),
    ] {
        client.post(PATH, &body, status).await;
        let expected = [&["UpdateItem", "BatchGetItem", "Query"], last].concat();
        assert_eq!(calls.take(), expected);
    }
}
