//! What the tests of second factors share: an authenticator app, and the
//! requests that enable and use it.

use contracts::{Envelope, events::UserMfaDisabled};
use kernel::SignedDuration;
use serde_json::{Value, json};
use testkit::{Reply, status::*};
use totp_rs::{Builder, Secret};
use users::{
    credentials::second_factors::SecondFactors,
    domain::{Otp, SecondFactor, User, VerifiedFactor},
};

use crate::fixture::{MFA_SECRET, PASSWORD, Person, TestUsers, versions};

/// How long an authenticator app shows a code, in seconds.
const TIME_STEP: i64 = 30;

/// A user who has enabled MFA.
pub(crate) struct MfaPerson {
    pub(crate) person: Person,
    pub(crate) secret: String,
    pub(crate) recovery_codes: Vec<String>,
}

impl TestUsers {
    /// The code that an authenticator app shows so many time steps from now.
    pub(crate) fn code(&self, secret: &str, steps: i64) -> String {
        let secret = Secret::try_from_base32(secret).unwrap();
        let app = Builder::new().with_secret(secret).build().unwrap();
        let at = self.clock().now().as_second() + TIME_STEP * steps;
        app.generate(u64::try_from(at).unwrap()).to_string()
    }

    /// Offers a factor to a user, whose address is verified first.
    pub(crate) async fn enroll_mfa(&self, person: &Person) -> String {
        if !self.user(person.id).await.email_verified {
            self.prove(person).await;
        }
        let client = self.client_of(person);
        let reply = client.post("/api/auth/mfa/enroll", &json!({}), OK).await;
        reply.body["data"]["secret"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn confirm_mfa(
        &self,
        person: &Person,
        code: &str,
        expected: StatusCode,
    ) -> Reply {
        let path = "/api/auth/mfa/confirm";
        self.send_code(person, path, code, expected).await
    }

    pub(crate) async fn disable_mfa(
        &self,
        person: &Person,
        code: &str,
        expected: StatusCode,
    ) -> Reply {
        let path = "/api/auth/mfa/disable";
        self.send_code(person, path, code, expected).await
    }

    async fn send_code(
        &self,
        person: &Person,
        path: &str,
        code: &str,
        expected: StatusCode,
    ) -> Reply {
        let body = json!({ "code": code });
        self.client_of(person).post(path, &body, expected).await
    }

    /// Enables MFA with the current code; returns the secret.
    pub(crate) async fn enable_mfa(&self, person: &Person) -> String {
        let secret = self.enroll_mfa(person).await;
        self.confirm_mfa(person, &self.code(&secret, 0), OK).await;
        secret
    }

    /// Registers a user and enables MFA. That uses up the current code; the
    /// clock then advances to the next one.
    pub(crate) async fn register_with_mfa(&self, email: &str) -> MfaPerson {
        let person = self.register(email).await;
        let secret = self.enroll_mfa(&person).await;
        let reply = self.confirm_mfa(&person, &self.code(&secret, 0), OK).await;
        self.advance(SignedDuration::from_secs(TIME_STEP));
        MfaPerson {
            person,
            secret,
            recovery_codes: recovery_codes(&reply),
        }
    }

    pub(crate) async fn log_in_with_code(
        &self,
        email: &str,
        code: &str,
        expected: StatusCode,
    ) -> Reply {
        let body = log_in_body(email, PASSWORD, code);
        let reply = self.client().post("/api/auth/login", &body, expected).await;
        if expected == UNAUTHORIZED {
            assert_eq!(reply.body["code"], "invalid_otp");
        }
        reply
    }

    /// The item of every second factor.
    pub(crate) async fn stored_factors(&self) -> Vec<Value> {
        self.table.items_of("USER#", "TOTP").await
    }

    /// The second factor of a user as it is stored now.
    pub(crate) async fn factor(&self, user: &User) -> SecondFactor {
        self.store().second_factor(user.id).await.unwrap().unwrap()
    }

    /// Verifies a code without using it up.
    pub(crate) fn verify(&self, factor: &SecondFactor, otp: &Otp) -> VerifiedFactor {
        let random = self.table.host().random();
        let factors = SecondFactors::new(versions(MFA_SECRET), random);
        let verified = factors.verify(factor, otp, self.clock().now());
        verified.unwrap().expect("the code is right")
    }

    pub(crate) async fn mfa_enabled(&self, person: &Person) -> bool {
        self.me(person).await["mfaEnabled"].as_bool().unwrap()
    }

    pub(crate) fn mfa_disabled(&self, user: &User) -> Envelope {
        self.table.event(&UserMfaDisabled {
            user_id: user.id,
            email: user.email.as_str().to_owned(),
        })
    }
}

pub(crate) fn log_in_body(email: &str, password: &str, code: &str) -> Value {
    json!({"email": email, "password": password, "otp": code})
}

pub(crate) fn recovery_codes(reply: &Reply) -> Vec<String> {
    let codes = reply.body["data"]["recoveryCodes"].as_array().unwrap();
    let codes = codes.iter().map(|code| code.as_str().unwrap().to_owned());
    codes.collect()
}
