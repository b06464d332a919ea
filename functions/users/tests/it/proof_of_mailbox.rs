//! What somebody set up in an account before its mailbox was proven does not outlive
//! the proof (Sudhodanan and Paverd, "Pre-hijacked accounts", USENIX Security 2022).

use contracts::events::UserEmailVerified;
use http::Method;
use serde_json::{Value, json};
use testkit::{Reply, status::*};
use users::store::{Confirmation, EnrolFactorError};

use crate::fixture::{NEW_PASSWORD, PASSWORD, Person, TestUsers};

const VICTIM: &str = "victim@example.com";
const ATTACKER: &str = "attacker@example.com";

impl TestUsers {
    async fn try_to_enable_mfa(&self, person: &Person) -> Reply {
        let client = self.client_of(person);
        let path = "/api/auth/mfa/enroll";
        let reply = client.exchange(Method::POST, path, None).await;
        if reply.status == OK {
            let secret = reply.body["data"]["secret"].as_str().unwrap();
            self.confirm_mfa(person, &self.code(secret, 0), OK).await;
        }
        reply
    }

    async fn request_email(&self, person: &Person, email: &str) -> String {
        let body = json!({"email": email, "currentPassword": PASSWORD});
        self.update_profile(person, &body, OK).await;
        self.mailed_token("user.verification_requested").await
    }

    async fn resend_verification(&self, email: &str) -> String {
        let body = json!({ "email": email });
        let path = "/api/auth/resend-verification";
        self.client().post(path, &body, ACCEPTED).await;
        self.mailed_token("user.verification_requested").await
    }

    async fn assert_ended(&self, person: &Person) {
        assert_eq!(self.authorize(&person.token).await, "session_ended");
        self.refresh(&person.refresh, UNAUTHORIZED).await;
    }
}

#[tokio::test]
async fn nothing_set_up_before_a_reset_keeps_the_owner_of_the_mailbox_out() {
    let users = TestUsers::new().await;
    let attacker = users.register(VICTIM).await;
    users.try_to_enable_mfa(&attacker).await;
    let email_change = users.request_email(&attacker, ATTACKER).await;
    let token = users.request_password_reset(VICTIM).await;
    users.reset_password(&token, NEW_PASSWORD, OK).await;
    users.log_in(VICTIM, NEW_PASSWORD, OK).await;
    users.assert_ended(&attacker).await;
    users
        .verify_email(&email_change, UNPROCESSABLE_ENTITY)
        .await;
}

#[tokio::test]
async fn an_unproven_account_cannot_enrol_a_second_factor() {
    let users = TestUsers::new().await;
    let attacker = users.register(VICTIM).await;
    let refused = users.try_to_enable_mfa(&attacker).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (FORBIDDEN, &json!("email_unverified"))
    );
    assert!(users.stored_factors().await.is_empty());
    // The victim verifies the address of an account that the attacker has the
    // password of.
    let token = users.mailed_token("user.registered").await;
    users.verify_email(&token, OK).await;
    let again = Person::of(&users.log_in(VICTIM, PASSWORD, OK).await);
    let refused = users.try_to_enable_mfa(&again).await;
    assert_eq!(refused.body["code"], "email_unverified");
    // Following a link in the session shows that both are the same person.
    let token = users.resend_verification(VICTIM).await;
    users.verify_email_in_session(&again, &token).await;
    assert_eq!(users.try_to_enable_mfa(&again).await.status, OK);
}

#[tokio::test]
async fn verifying_ends_every_session_but_the_one_it_was_done_in() {
    let users = TestUsers::new().await;
    let attacker = users.register(VICTIM).await;
    let email_change = users.request_email(&attacker, ATTACKER).await;
    let token = users.mailed_token("user.registered").await;
    let reply = users.verify_email(&token, OK).await;
    assert_eq!(
        reply.body["data"],
        json!({"sessionsEnded": "all", "mfaDisabled": false})
    );
    users.assert_ended(&attacker).await;
    users
        .verify_email(&email_change, UNPROCESSABLE_ENTITY)
        .await;

    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let other = Person::of(&users.log_in("ada@example.com", PASSWORD, OK).await);
    let token = users.mailed_token("user.registered").await;
    let reply = users.verify_email_in_session(&ada, &token).await;
    assert_eq!(reply.body["data"]["sessionsEnded"], "others");
    assert_eq!(users.authorize(&ada.token).await, "user");
    users.refresh(&ada.refresh, OK).await;
    users.assert_ended(&other).await;
}

#[tokio::test]
async fn only_a_live_session_of_the_same_account_survives_verification() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let token = users.mailed_token("user.registered").await;
    let eve = users.register("eve@example.com").await;
    let ended = Person::of(&users.log_in("ada@example.com", PASSWORD, OK).await);
    users.log_out(&ended, &json!({})).await;
    let mut token = token;
    for bearer in [&eve.token, &ended.token, &ada.refresh, &String::new()] {
        let header = format!("Bearer {bearer}");
        let client = users.client().with_header("authorization", &header);
        let body = json!({ "token": token });
        let reply = client.post("/api/auth/verify-email", &body, OK).await;
        let ended = &reply.body["data"]["sessionsEnded"];
        assert!(*ended == "all" || *ended == "none", "{ended}");
        token = users.resend_verification("ada@example.com").await;
    }
    users.assert_ended(&ada).await;
    assert_eq!(users.authorize(&eve.token).await, "user");
}

/// The attacker's own account gets the victim's address.
#[tokio::test]
async fn a_reset_removes_the_factor_of_whoever_only_changed_the_address() {
    let users = TestUsers::new().await;
    let attacker = users.register_with_mfa(ATTACKER).await;
    let code = users.code(&attacker.secret, 0);
    let attacker = Person::of(&users.log_in_with_code(ATTACKER, &code, OK).await);
    let token = users.request_email(&attacker, VICTIM).await;
    let reply = users.verify_email(&token, OK).await;
    assert_eq!(reply.body["data"]["sessionsEnded"], "all");
    users.assert_ended(&attacker).await;
    // Changing the address is no way around the second factor.
    let alone = json!({"email": VICTIM, "password": PASSWORD});
    let client = users.client();
    let reply = client.post("/api/auth/login", &alone, UNAUTHORIZED).await;
    assert_eq!(reply.body["code"], "mfa_required");
    let token = users.request_password_reset(VICTIM).await;
    let mut reply = users.reset_password(&token, NEW_PASSWORD, OK).await;
    let data = reply.body["data"].as_object_mut().unwrap();
    assert!(
        data.remove("deviceToken")
            .is_some_and(|token| token.is_string())
    );
    assert_eq!(
        reply.body["data"],
        json!({"sessionsEnded": "all", "mfaDisabled": true})
    );
    assert!(users.stored_factors().await.is_empty());
    let types = users.table.event_types().await;
    let told = ["user.password_changed", "user.mfa_disabled"];
    assert_eq!(types[types.len() - 2..], told);
    users.log_in(VICTIM, NEW_PASSWORD, OK).await;
}

#[tokio::test]
async fn a_factor_of_somebody_who_has_proven_the_mailbox_stays() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa("ada@example.com").await;
    let code = users.code(&ada.secret, 0);
    let reply = users.log_in_with_code("ada@example.com", &code, OK).await;
    let ada = Person::of(&reply);
    let token = users.request_email(&ada, "new@example.com").await;
    let reply = users.verify_email_in_session(&ada, &token).await;
    assert_eq!(
        reply.body["data"],
        json!({"sessionsEnded": "others", "mfaDisabled": false})
    );
    let token = users.request_password_reset("new@example.com").await;
    let reply = users.reset_password(&token, NEW_PASSWORD, OK).await;
    assert_eq!(reply.body["data"]["mfaDisabled"], false);
    let alone = json!({"email": "new@example.com", "password": NEW_PASSWORD});
    let client = users.client();
    let reply = client.post("/api/auth/login", &alone, UNAUTHORIZED).await;
    assert_eq!(reply.body["code"], "mfa_required");
}

#[tokio::test]
async fn a_caller_is_unverified_until_one_person_has_shown_credentials_and_mailbox() {
    let users = TestUsers::new().await;
    let unverified = async |person: &Person| {
        let headers = json!({"authorization": format!("Bearer {}", person.token)});
        users.authorizer_context(&headers).await["unverified"].clone()
    };
    let ada = users.register("ada@example.com").await;
    assert_eq!(unverified(&ada).await, "true");
    users.prove(&ada).await;
    assert_eq!(unverified(&ada).await, "false", "in the same session");
    // Whoever follows a link that they did not ask for does not vouch for the password.
    let attacker = users.register(VICTIM).await;
    let token = users.resend_verification(VICTIM).await;
    users.verify_email(&token, OK).await;
    users.assert_ended(&attacker).await;
    let attacker = Person::of(&users.log_in(VICTIM, PASSWORD, OK).await);
    assert_eq!(unverified(&attacker).await, "true");
    let token = users.request_password_reset(VICTIM).await;
    users.reset_password(&token, NEW_PASSWORD, OK).await;
    let victim = Person::of(&users.log_in(VICTIM, NEW_PASSWORD, OK).await);
    assert_eq!(unverified(&victim).await, "false");
    // The event tells the two apart.
    let events = users.table.events().await.into_iter();
    let verified = events.filter(|event| event.is::<UserEmailVerified>());
    let proven: Vec<Value> = verified.map(|event| event.data["proven"].clone()).collect();
    assert_eq!(proven, [true, false, true]);
}

/// Factors that were enabled before unverified accounts were refused.
#[tokio::test]
async fn verifying_or_resetting_removes_a_factor_that_is_there_already() {
    for resets in [false, true] {
        let users = TestUsers::new().await;
        let ada = users.register_with_mfa(VICTIM).await;
        let mut stored = users.user(ada.person.id).await;
        (stored.email_verified, stored.version) = (false, stored.version + 1);
        let event = users.mfa_disabled(&stored);
        users.store().update_user(&stored, &event).await.unwrap();
        let (reply, password) = if resets {
            let token = users.request_password_reset(VICTIM).await;
            let reply = users.reset_password(&token, NEW_PASSWORD, OK).await;
            (reply, NEW_PASSWORD)
        } else {
            let token = users.resend_verification(VICTIM).await;
            (users.verify_email(&token, OK).await, PASSWORD)
        };
        assert_eq!(reply.body["data"]["mfaDisabled"], true);
        assert!(users.stored_factors().await.is_empty());
        users.log_in(VICTIM, password, OK).await;
    }
}

#[tokio::test]
async fn a_confirmation_decided_before_the_proof_is_rejected() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users.prove(&ada).await;
    let secret = users.enroll_mfa(&ada).await;
    let user = users.user(ada.id).await;
    let factor = users.factor(&user).await;
    let token = users.request_password_reset("ada@example.com").await;
    users.reset_password(&token, NEW_PASSWORD, OK).await;
    let enabled = users.mfa_disabled(&user);
    let confirmation = Confirmation {
        user: &user,
        factor: &factor,
        time_step: 1,
        recovery_hashes: vec![secret],
        session_id: ada.session_id(),
        now: users.clock().now(),
        enabled: &enabled,
    };
    let rejected = users.store().confirm_factor(confirmation).await;
    assert!(
        matches!(
            rejected,
            Err(EnrolFactorError::Changed | EnrolFactorError::SessionEnded)
        ),
        "{rejected:?}"
    );
    let stored: Vec<Value> = users.stored_factors().await;
    assert!(
        stored
            .iter()
            .all(|factor| factor.get("confirmed_at").is_none())
    );
}
