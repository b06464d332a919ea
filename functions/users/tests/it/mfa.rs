//! Turning second factors on and off.

use futures_util::future::join_all;
use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};
use testkit::{Clock, Reply, status::*};
use totp_rs::{Builder, Secret};

use crate::shop::{PASSWORD, Person, Shop, cause};

/// The six digits that an app shows so many steps from now.
pub(crate) fn code(secret: &str, clock: &Clock, steps: i64) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    let app = Builder::new().with_secret(secret).build().unwrap();
    let at = clock.now().as_second() + 30 * steps;
    app.generate(u64::try_from(at).unwrap()).to_string()
}

/// Somebody with a second factor.
pub(crate) struct Guarded {
    pub(crate) person: Person,
    pub(crate) secret: String,
    pub(crate) recovery_codes: Vec<String>,
}

impl Shop {
    pub(crate) async fn enroll(&self, who: &Person) -> String {
        let client = who.client(&self.enroll_mfa);
        let reply = client.post("/api/auth/mfa/enroll", &json!({}), OK).await;
        reply.body["data"]["secret"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn confirm(&self, who: &Person, code: &str, expected: StatusCode) -> Reply {
        let client = who.client(&self.confirm_mfa);
        let body = json!({ "code": code });
        client.post("/api/auth/mfa/confirm", &body, expected).await
    }

    pub(crate) async fn disable(&self, who: &Person, code: &str, expected: StatusCode) -> Reply {
        let client = who.client(&self.disable_mfa);
        let body = json!({ "code": code });
        client.post("/api/auth/mfa/disable", &body, expected).await
    }

    /// Registers somebody and turns a second factor on. The step of now is
    /// used up by that, and time goes on by one.
    pub(crate) async fn guarded(&self, email: &str) -> Guarded {
        let person = self.register(email).await;
        let secret = self.enroll(&person).await;
        let reply = self
            .confirm(&person, &code(&secret, &self.clock, 0), OK)
            .await;
        self.clock.advance(SignedDuration::from_secs(30));
        Guarded {
            person,
            secret,
            recovery_codes: recovery_codes(&reply),
        }
    }

    /// What is kept of second factors.
    pub(crate) async fn factors(&self) -> Vec<Value> {
        self.table.items_of("USER#", "TOTP").await
    }

    pub(crate) async fn mfa_enabled(&self, who: &Person) -> bool {
        let reply = who.client(&self.me).get("/api/auth/me", OK).await;
        reply.body["data"]["mfaEnabled"].as_bool().unwrap()
    }
}

fn recovery_codes(reply: &Reply) -> Vec<String> {
    let codes = reply.body["data"]["recoveryCodes"].as_array().unwrap();
    let codes = codes.iter().map(|code| code.as_str().unwrap().to_owned());
    codes.collect()
}

#[tokio::test]
async fn an_offer_has_the_secret_in_three_forms_and_changes_nothing_yet() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let client = ada.client(&shop.enroll_mfa);
    // It takes no body, and none is as good as an empty one.
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
    assert!(!shop.mfa_enabled(&ada).await);
    let kept = shop.factors().await;
    assert!(!kept[0].to_string().contains(secret), "sealed");
    assert_eq!(kept[0]["expires_at"], 1_767_225_600 + 3600);
    shop.log_in("ada@example.com", PASSWORD, OK).await;
    assert_eq!(shop.table.event_types().await, ["user.registered"]);
    shop.enroll_mfa
        .post("/api/auth/mfa/enroll", &json!({}), UNAUTHORIZED)
        .await;
}

#[tokio::test]
async fn a_code_turns_it_on_and_this_session_is_made_with_it() {
    let shop = Shop::open().await;
    let ada = shop.guarded("ada@example.com").await;
    let other = shop.register("bob@example.com").await;
    assert!(shop.mfa_enabled(&ada.person).await);
    assert!(!shop.mfa_enabled(&other).await);
    assert_eq!(ada.recovery_codes.len(), 10);
    let kept = shop.factors().await.remove(0);
    assert_eq!(kept["recovery_hashes"].as_array().unwrap().len(), 10);
    assert!(kept.get("expires_at").is_none(), "it stays");
    for code in &ada.recovery_codes {
        assert!(!kept.to_string().contains(code.as_str()));
    }
    let client = ada.person.client(&shop.list_sessions);
    let sessions = client.get("/api/users/sessions", OK).await;
    assert_eq!(sessions.body["data"][0]["mfa"], true);
    let types = shop.table.event_types().await;
    assert_eq!(
        types,
        ["user.registered", "user.mfa_enabled", "user.registered"]
    );
    // There is one factor at a time.
    let client = ada.person.client(&shop.enroll_mfa);
    let reply = client
        .post("/api/auth/mfa/enroll", &json!({}), CONFLICT)
        .await;
    assert_eq!(reply.body["code"], "mfa_enabled");
    let now = code(&ada.secret, &shop.clock, 0);
    let reply = shop.confirm(&ada.person, &now, CONFLICT).await;
    assert_eq!(reply.body["code"], "mfa_enabled");
}

#[tokio::test]
async fn another_offer_takes_the_place_of_the_first_and_each_waits_an_hour() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let reply = shop.confirm(&ada, "123456", CONFLICT).await;
    assert_eq!(reply.body["code"], "mfa_not_enrolled");
    let first = shop.enroll(&ada).await;
    let second = shop.enroll(&ada).await;
    let of_first = code(&first, &shop.clock, 0);
    let reply = shop.confirm(&ada, &of_first, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/code"]);
    shop.clock.advance(SignedDuration::from_hours(1));
    let too_late = code(&second, &shop.clock, 0);
    let reply = shop.confirm(&ada, &too_late, CONFLICT).await;
    assert_eq!(reply.body["code"], "mfa_not_enrolled");
    let third = shop.enroll(&ada).await;
    shop.clock.advance(SignedDuration::from_mins(59));
    shop.confirm(&ada, &code(&third, &shop.clock, 0), OK).await;
}

#[tokio::test]
async fn a_wrong_code_is_a_failure_like_any_other() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let secret = shop.enroll(&ada).await;
    for _ in 0..5 {
        let old = code(&secret, &shop.clock, -2);
        let reply = shop.confirm(&ada, &old, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), ["/code"]);
    }
    // The address is locked: the right one gets the same reply, here and there.
    let now = code(&secret, &shop.clock, 0);
    let reply = shop.confirm(&ada, &now, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/code"]);
    shop.log_in("ada@example.com", PASSWORD, UNAUTHORIZED).await;
    assert!(!shop.mfa_enabled(&ada).await);
    shop.clock.advance(SignedDuration::from_mins(15));
    shop.confirm(&ada, &code(&secret, &shop.clock, 0), OK).await;
}

#[tokio::test]
async fn what_is_no_code_at_all_names_its_field_and_counts_nothing() {
    let shop = Shop::open().await;
    let ada = shop.guarded("ada@example.com").await;
    for body in [
        json!({}),
        json!({"code": 123_456}),
        json!({"code": "12345"}),
        json!({"code": ""}),
    ] {
        for (client, path) in [
            (&shop.confirm_mfa, "/api/auth/mfa/confirm"),
            (&shop.disable_mfa, "/api/auth/mfa/disable"),
        ] {
            let client = ada.person.client(client);
            let reply = client.post(path, &body, UNPROCESSABLE_ENTITY).await;
            assert_eq!(reply.invalid_fields(), ["/code"], "{body}");
        }
    }
    // A recovery code confirms nothing.
    let recovery = &ada.recovery_codes[0];
    let reply = shop
        .confirm(&ada.person, recovery, UNPROCESSABLE_ENTITY)
        .await;
    assert_eq!(reply.invalid_fields(), ["/code"]);
    let counted: Vec<Value> = shop.table.items_of("ATTEMPTS#", "ATTEMPTS").await;
    assert!(counted.is_empty(), "{counted:?}");
}

#[tokio::test]
async fn of_many_confirmations_at_once_one_wins_and_its_codes_are_good() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let secret = shop.enroll(&ada).await;
    let body = json!({"code": code(&secret, &shop.clock, 0)}).to_string();
    let tries = (0..6).map(|_| {
        let client = ada.client(&shop.confirm_mfa);
        client.exchange(Method::POST, "/api/auth/mfa/confirm", Some(body.clone()))
    });
    let replies = join_all(tries).await;
    let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == OK);
    assert_eq!(won.len(), 1, "{replies:?}");
    let told = |reply: &&Reply| reply.body["code"] == "mfa_enabled";
    assert!(lost.iter().all(told), "{lost:?}");
    for code in recovery_codes(won[0]) {
        shop.log_in_with("ada@example.com", &code, OK).await;
    }
    let types = shop.table.event_types().await;
    assert_eq!(types, ["user.registered", "user.mfa_enabled"]);
}

/// What the SDK does when the reply was lost.
#[tokio::test]
async fn what_is_written_again_is_what_was_written() {
    use contracts::{Envelope, events};
    use users::{
        domain::{Otp, Shown},
        store::{Confirmation, EnrolFactorError, Store},
    };
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let secret = shop.enroll(&ada).await;
    let store = Store::new(shop.table.table());
    let now = shop.clock.now();
    let user = store.user(ada.id).await.unwrap().unwrap();
    let factor = store.second_factor(ada.id).await.unwrap().unwrap();
    let cause = cause();
    let said = events::UserMfaEnabled {
        user_id: ada.id,
        email: ada.email.clone(),
    };
    let (this, another) = (
        Envelope::new(&said, now, &cause),
        Envelope::new(&said, now, &cause),
    );
    let confirm = |enabled, hash: &str| {
        store.confirm_factor(Confirmation {
            user: &user,
            factor: &factor,
            step: 1,
            recovery_hashes: vec![hash.to_owned()],
            session_id: ada.session_id(),
            now,
            enabled,
        })
    };
    confirm(&this, "first").await.unwrap();
    confirm(&this, "first").await.unwrap();
    let other = confirm(&another, "second").await;
    assert!(
        matches!(other, Err(EnrolFactorError::AlreadyOn)),
        "{other:?}"
    );
    assert_eq!(shop.factors().await[0]["recovery_hashes"], json!(["first"]));

    let factor = store.second_factor(ada.id).await.unwrap().unwrap();
    let otp = Otp::Code(code(&secret, &shop.clock, 0));
    let factors = crate::shop::mfa(&shop.table, &shop.clock).factors;
    let shown: Shown = factors.shown(&factor, &otp, now).unwrap().unwrap();
    let said = events::UserMfaDisabled {
        user_id: ada.id,
        email: ada.email.clone(),
    };
    let disabled = Envelope::new(&said, now, &cause);
    for _ in 0..2 {
        let what = (&factor, &shown);
        store
            .remove_factor(&user, ada.session_id(), what, &disabled, now)
            .await
            .unwrap();
    }
    assert!(shop.factors().await.is_empty());
}

#[tokio::test]
async fn it_is_turned_off_with_a_code_or_a_recovery_code_that_was_not_used() {
    let shop = Shop::open().await;
    let ada = shop.guarded("ada@example.com").await;
    // The code that confirmed it is used up.
    let used = code(&ada.secret, &shop.clock, -1);
    let reply = shop.disable(&ada.person, &used, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/code"]);
    let now = code(&ada.secret, &shop.clock, 0);
    shop.disable(&ada.person, &now, OK).await;
    assert!(shop.factors().await.is_empty());
    assert!(!shop.mfa_enabled(&ada.person).await);
    shop.log_in("ada@example.com", PASSWORD, OK).await;
    let reply = shop.disable(&ada.person, &now, CONFLICT).await;
    assert_eq!(reply.body["code"], "mfa_not_enrolled");

    let bob = shop.guarded("bob@example.com").await;
    shop.log_in_with("bob@example.com", &bob.recovery_codes[3], OK)
        .await;
    shop.disable(&bob.person, &bob.recovery_codes[3], UNPROCESSABLE_ENTITY)
        .await;
    shop.disable(&bob.person, &bob.recovery_codes[4], OK).await;
    let types = shop.table.event_types().await;
    let off = types.iter().filter(|name| *name == "user.mfa_disabled");
    assert_eq!(off.count(), 2);
    // And on again, with another secret.
    assert_ne!(shop.enroll(&bob.person).await, bob.secret);
}

#[tokio::test]
async fn five_wrong_codes_lock_turning_it_off_as_well() {
    let shop = Shop::open().await;
    let ada = shop.guarded("ada@example.com").await;
    for _ in 0..5 {
        let old = code(&ada.secret, &shop.clock, -2);
        shop.disable(&ada.person, &old, UNPROCESSABLE_ENTITY).await;
    }
    let now = code(&ada.secret, &shop.clock, 0);
    shop.disable(&ada.person, &now, UNPROCESSABLE_ENTITY).await;
    shop.disable(&ada.person, &ada.recovery_codes[0], UNPROCESSABLE_ENTITY)
        .await;
    assert!(shop.mfa_enabled(&ada.person).await);
    shop.clock.advance(SignedDuration::from_mins(15));
    let now = code(&ada.secret, &shop.clock, 0);
    shop.disable(&ada.person, &now, OK).await;
}

#[tokio::test]
async fn a_guess_that_was_read_before_the_lock_does_not_turn_it_off() {
    use contracts::{Envelope, events};
    use users::{
        domain::Otp,
        store::{RemoveFactorError, Store},
    };
    let shop = Shop::open().await;
    let ada = shop.guarded("ada@example.com").await;
    let store = Store::new(shop.table.table());
    let now = shop.clock.now();
    let user = store.user(ada.person.id).await.unwrap().unwrap();
    let factor = store.second_factor(user.id).await.unwrap().unwrap();
    let factors = crate::shop::mfa(&shop.table, &shop.clock).factors;
    let otp = Otp::Code(code(&ada.secret, &shop.clock, 0));
    let shown = factors.shown(&factor, &otp, now).unwrap().unwrap();
    for _ in 0..5 {
        store.count_failure("ada@example.com", now).await.unwrap();
    }
    let said = events::UserMfaDisabled {
        user_id: user.id,
        email: ada.person.email.clone(),
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
        matches!(refused, Err(RemoveFactorError::Locked)),
        "{refused:?}"
    );
}
