//! Logging in with a second factor.

use futures_util::future::join_all;
use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};
use testkit::{Reply, status::*};
use users::factors::Factors;

use crate::{
    calls::counted,
    mfa::code,
    shop::{MFA_SECRET, PASSWORD, Person, Shop, cause, versions},
};

const ADA: &str = "ada@example.com";
const WRONG: &str = "wrong horse battery";

fn body(email: &str, password: &str, otp: &str) -> Value {
    json!({"email": email, "password": password, "otp": otp})
}

impl Shop {
    pub(crate) async fn log_in_with(&self, email: &str, otp: &str, expected: StatusCode) -> Reply {
        let body = body(email, PASSWORD, otp);
        let reply = self.log_in.post("/api/auth/login", &body, expected).await;
        if expected == UNAUTHORIZED {
            assert_eq!(reply.body["code"], "invalid_otp");
        }
        reply
    }

    async fn refused(&self, body: &Value) -> Value {
        let path = "/api/auth/login";
        let reply = self.log_in.post(path, body, UNAUTHORIZED).await;
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        reply.body["code"].clone()
    }

    async fn failures(&self) -> usize {
        let counted: Vec<Value> = self.table.items_of("ATTEMPTS#", "ATTEMPTS").await;
        let count = |item: &Value| item["failures"].as_array().unwrap().len();
        counted.first().map_or(0, count)
    }
}

#[tokio::test]
async fn the_password_alone_is_told_to_bring_a_code_and_counts_for_nothing() {
    let shop = Shop::open().await;
    let ada = shop.guarded(ADA).await;
    let alone = json!({"email": ADA, "password": PASSWORD});
    assert_eq!(shop.refused(&alone).await, "mfa_required");
    let null = json!({"email": ADA, "password": PASSWORD, "otp": null});
    assert_eq!(shop.refused(&null).await, "mfa_required");
    assert_eq!(shop.failures().await, 0);
    let now = code(&ada.secret, &shop.clock, 0);
    let reply = shop.log_in_with(ADA, &now, OK).await;
    assert_eq!(reply.body["data"]["user"]["mfaEnabled"], true);
    let again = Person::of(&reply);
    let client = again.client(&shop.list_sessions);
    let sessions = client.get("/api/users/sessions", OK).await;
    assert_eq!(sessions.body["data"][0]["current"], true);
    assert_eq!(sessions.body["data"][0]["mfa"], true);
}

#[tokio::test]
async fn nothing_of_it_is_told_before_the_password_is_right() {
    let shop = Shop::open().await;
    let ada = shop.guarded(ADA).await;
    shop.register("bob@example.com").await;
    let now = code(&ada.secret, &shop.clock, 0);
    for (email, otp) in [
        (ADA, &*now),
        (ADA, "000000"),
        ("bob@example.com", "000000"),
        ("nobody@example.com", "000000"),
    ] {
        let said = shop.refused(&body(email, WRONG, otp)).await;
        assert_eq!(said, "invalid_credentials", "{email} {otp}");
    }
    let suspended = json!({"status": "suspended"});
    shop.update(ada.person.id, &suspended, OK).await;
    let said = shop.refused(&body(ADA, PASSWORD, &now)).await;
    assert_eq!(said, "invalid_credentials");
}

#[tokio::test]
async fn a_code_of_a_person_who_has_no_factor_is_not_looked_at() {
    let shop = Shop::open().await;
    let ada = shop.register(ADA).await;
    shop.log_in_with(ADA, "123456", OK).await;
    // Nor while one is only offered.
    shop.enroll(&ada).await;
    shop.log_in_with(ADA, "123456", OK).await;
    shop.log_in(ADA, PASSWORD, OK).await;
}

#[tokio::test]
async fn a_code_is_good_one_step_around_now_and_once() {
    let shop = Shop::open().await;
    let ada = shop.guarded(ADA).await;
    let at = |steps| code(&ada.secret, &shop.clock, steps);
    shop.log_in_with(ADA, &at(-1), UNAUTHORIZED).await; // confirmed it
    shop.log_in_with(ADA, &at(2), UNAUTHORIZED).await;
    shop.log_in_with(ADA, &at(0), OK).await;
    shop.log_in_with(ADA, &at(0), UNAUTHORIZED).await;
    shop.log_in_with(ADA, &at(1), OK).await;
    // Those before the last that was used are used up with it.
    shop.log_in_with(ADA, &at(0), UNAUTHORIZED).await;
    shop.clock.advance(SignedDuration::from_mins(2));
    shop.log_in_with(ADA, &code(&ada.secret, &shop.clock, -2), UNAUTHORIZED)
        .await;
    shop.log_in_with(ADA, &code(&ada.secret, &shop.clock, -1), OK)
        .await;
}

#[tokio::test]
async fn a_recovery_code_is_good_once_and_the_last_one_too() {
    let shop = Shop::open().await;
    let ada = shop.guarded(ADA).await;
    for code in &ada.recovery_codes {
        let typed = code.to_lowercase().replace('-', " ");
        shop.log_in_with(ADA, &typed, OK).await;
        shop.log_in_with(ADA, code, UNAUTHORIZED).await;
    }
    assert!(shop.factors().await[0].get("recovery_hashes").is_none());
    // Without any left, the app is as good as before.
    shop.clock.advance(SignedDuration::from_mins(15));
    let now = code(&ada.secret, &shop.clock, 0);
    shop.log_in_with(ADA, &now, OK).await;
}

#[tokio::test]
async fn a_wrong_code_counts_towards_the_lock_and_the_password_does_not_undo_it() {
    let shop = Shop::open().await;
    let ada = shop.guarded(ADA).await;
    let alone = json!({"email": ADA, "password": PASSWORD});
    for failures in 1..=5 {
        let old = code(&ada.secret, &shop.clock, -2);
        shop.log_in_with(ADA, &old, UNAUTHORIZED).await;
        assert_eq!(shop.failures().await, failures);
        if failures < 5 {
            assert_eq!(shop.refused(&alone).await, "mfa_required");
            assert_eq!(shop.failures().await, failures);
        }
    }
    // Locked: nothing is right, and nothing is told.
    let now = code(&ada.secret, &shop.clock, 0);
    for otp in [&*now, &*ada.recovery_codes[0], "000000"] {
        let said = shop.refused(&body(ADA, PASSWORD, otp)).await;
        assert_eq!(said, "invalid_credentials");
    }
    assert_eq!(shop.refused(&alone).await, "invalid_credentials");
    shop.clock.advance(SignedDuration::from_mins(15));
    let now = code(&ada.secret, &shop.clock, 0);
    shop.log_in_with(ADA, &now, OK).await;
    assert_eq!(shop.failures().await, 0, "forgotten");
}

#[tokio::test]
async fn one_code_sent_many_times_at_once_signs_in_once() {
    let shop = Shop::open().await;
    let ada = shop.guarded(ADA).await;
    let before = shop.sessions().await.len();
    for otp in [&*code(&ada.secret, &shop.clock, 0), &*ada.recovery_codes[0]] {
        // As many as are wrong before the address is locked, and the right one.
        let tries = (0..5).map(|_| {
            let body = Some(body(ADA, PASSWORD, otp).to_string());
            shop.log_in.exchange(Method::POST, "/api/auth/login", body)
        });
        let replies = join_all(tries).await;
        let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == OK);
        assert_eq!(won.len(), 1, "{replies:?}");
        let refused = |reply: &&Reply| reply.body["code"] == "invalid_otp";
        assert!(lost.iter().all(refused), "{lost:?}");
        shop.clock.advance(SignedDuration::from_mins(15));
    }
    assert_eq!(shop.sessions().await.len(), before + 2);
}

#[tokio::test]
async fn a_factor_that_was_turned_on_meanwhile_is_not_got_around() {
    use users::{
        passwords::Verdict,
        store::{LogIn, Store, StoreLogInError},
    };
    let shop = Shop::open().await;
    let ada = shop.register(ADA).await;
    let store = Store::new(shop.table.table());
    let now = shop.clock.now();
    let candidate = store.candidate(ADA).await.unwrap();
    let admitted = candidate.admitted(Verdict::Right { outdated: false }, now);
    let user = admitted.expect("the password is right").user;
    let secret = shop.enroll(&ada).await;
    shop.confirm(&ada, &code(&secret, &shop.clock, 0), OK).await;
    let id = kernel::testkit::new_id::<SessionId>();
    let session = users::domain::Session::begin(id, &user, "x".into(), now);
    let refused = store
        .log_in(LogIn {
            user: &user,
            session: &session,
            returned: None,
            superseded: &[],
            factor: None,
            rehashed: None,
            ip: None,
        })
        .await;
    assert!(
        matches!(refused, Err(StoreLogInError::Changed)),
        "{refused:?}"
    );
}

/// Whoever decided on a factor as it was read comes too late when it was used
/// meanwhile, whatever else is as it was: to log in and to turn it off.
#[tokio::test]
async fn what_was_shown_is_used_up_by_whoever_is_first() {
    use contracts::{Envelope, events::UserMfaDisabled};
    use users::{
        domain::Otp,
        store::{LogIn, RemoveFactorError, Store, StoreLogInError},
    };
    let shop = Shop::open().await;
    let ada = shop.guarded(ADA).await;
    let store = Store::new(shop.table.table());
    let factors = Factors::new(versions(MFA_SECRET, None));
    let now = shop.clock.now();
    let this = code(&ada.secret, &shop.clock, 0);
    let recovery = ada.recovery_codes[0].clone();
    for (otp, typed) in [
        (Otp::Code(this.clone()), this),
        (Otp::RecoveryCode(recovery.replace('-', "")), recovery),
    ] {
        let factor = store.second_factor(ada.person.id).await.unwrap().unwrap();
        let shown = factors.shown(&factor, &otp, now).unwrap().unwrap();
        shop.log_in_with(ADA, &typed, OK).await;

        let user = store.user(ada.person.id).await.unwrap().unwrap();
        let id = kernel::testkit::new_id::<SessionId>();
        let session = users::domain::Session::begin(id, &user, "x".into(), now);
        let log_in = LogIn {
            user: &user,
            session: &session,
            returned: None,
            superseded: &[],
            factor: Some((&factor, &shown)),
            rehashed: None,
            ip: None,
        };
        let refused = store.log_in(log_in).await;
        assert!(
            matches!(refused, Err(StoreLogInError::Changed)),
            "{refused:?}"
        );
        let said = UserMfaDisabled {
            user_id: user.id,
            email: ADA.into(),
        };
        let said = Envelope::new(&said, now, &cause());
        let refused = store
            .remove_factor(
                &user,
                ada.person.session_id(),
                (&factor, &shown),
                &said,
                now,
            )
            .await;
        assert!(
            matches!(refused, Err(RemoveFactorError::Changed)),
            "{refused:?}"
        );
    }
}

/// What the SDK does when the reply was lost: the same log-in, not a code that
/// was used before.
#[tokio::test]
async fn a_log_in_that_is_written_again_is_the_same() {
    use users::{
        domain::Otp,
        passwords::Verdict,
        store::{LogIn, Store},
    };
    let shop = Shop::open().await;
    let ada = shop.guarded(ADA).await;
    let store = Store::new(shop.table.table());
    let now = shop.clock.now();
    let candidate = store.candidate(ADA).await.unwrap();
    let admitted = candidate.admitted(Verdict::Right { outdated: false }, now);
    let admitted = admitted.unwrap();
    let factor = admitted.factor.expect("it is on");
    let otp = Otp::Code(code(&ada.secret, &shop.clock, 0));
    let factors = Factors::new(versions(MFA_SECRET, None));
    let shown = factors.shown(&factor, &otp, now).unwrap().unwrap();
    let id = kernel::testkit::new_id::<SessionId>();
    let session = users::domain::Session::begin(id, &admitted.user, "x".into(), now);
    for _ in 0..2 {
        let log_in = LogIn {
            user: &admitted.user,
            session: &session,
            returned: None,
            superseded: &[],
            factor: Some((&factor, &shown)),
            rehashed: None,
            ip: None,
        };
        store.log_in(log_in).await.unwrap();
    }
}

#[tokio::test]
async fn whoever_logs_in_between_two_rotations_keeps_the_factor_and_others_recover() {
    let shop = Shop::open().await;
    let ada = shop.guarded(ADA).await;
    let bob = shop.guarded("bob@example.com").await;
    let path = "/api/auth/login";
    let rotated = |current, previous| {
        let table = shop.table.table();
        shop.another_log_in(table, versions(current, Some(previous)))
    };
    let once = rotated("the second secret", MFA_SECRET).await;
    let now = code(&ada.secret, &shop.clock, 0);
    once.post(path, &body(ADA, PASSWORD, &now), OK).await;
    let twice = rotated("the third secret", "the second secret").await;
    let next = code(&ada.secret, &shop.clock, 1);
    twice.post(path, &body(ADA, PASSWORD, &next), OK).await;
    let email = "bob@example.com";
    let now = code(&bob.secret, &shop.clock, 0);
    twice
        .post(path, &body(email, PASSWORD, &now), INTERNAL_SERVER_ERROR)
        .await;
    let recovery = body(email, PASSWORD, &bob.recovery_codes[0]);
    twice.post(path, &recovery, OK).await;
}

#[tokio::test]
async fn a_forgotten_password_is_no_way_around_it() {
    let shop = Shop::open().await;
    let ada = shop.guarded(ADA).await;
    for _ in 0..5 {
        let old = code(&ada.secret, &shop.clock, -2);
        shop.log_in_with(ADA, &old, UNAUTHORIZED).await;
    }
    let asked = json!({ "email": ADA });
    shop.forgot
        .post("/api/auth/forgot-password", &asked, ACCEPTED)
        .await;
    let token = shop.mailed_token("user.password_reset_requested").await;
    let new = "seven otters paint the moon";
    let reset = json!({"token": token.unwrap(), "password": new});
    shop.reset
        .post("/api/auth/reset-password", &reset, OK)
        .await;
    // The mail gives a new password, and not five more guesses at the code.
    assert_eq!(shop.failures().await, 5);
    shop.clock.advance(SignedDuration::from_mins(15));
    let alone = json!({"email": ADA, "password": new});
    assert_eq!(shop.refused(&alone).await, "mfa_required");
    let now = code(&ada.secret, &shop.clock, 0);
    let with = body(ADA, new, &now);
    shop.log_in.post("/api/auth/login", &with, OK).await;
}

#[tokio::test]
async fn the_factor_is_read_by_the_query_that_is_made_anyway() {
    let shop = Shop::open().await;
    let ada = shop.guarded(ADA).await;
    let (calls, counted) = counted(&shop);
    let client = shop
        .another_log_in(counted, versions(MFA_SECRET, None))
        .await;
    let now = code(&ada.secret, &shop.clock, 0);
    for (otp, status, last) in [
        (&*now, OK, &["TransactWriteItems"][..]),
        // The lock once more, before it is told that the password is right.
        (&*now, UNAUTHORIZED, &["GetItem", "UpdateItem"]),
    ] {
        let body = body(ADA, PASSWORD, otp);
        client.post("/api/auth/login", &body, status).await;
        let expected = [&["UpdateItem", "BatchGetItem", "Query"], last].concat();
        assert_eq!(calls.take(), expected);
    }
}
