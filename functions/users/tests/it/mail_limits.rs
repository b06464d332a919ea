//! How many emails anybody may request for an address, and that nobody uses up those of
//! its owner.

use kernel::SignedDuration;
use serde_json::{Value, json};
use testkit::status::*;

use crate::fixture::{NEW_PASSWORD, PASSWORD, TestUsers};

const ADA: &str = "ada@example.com";
const FORGOT: &str = "/api/auth/forgot-password";
const RESEND: &str = "/api/auth/resend-verification";
const REGISTER: &str = "/api/auth/register";
const RESET_REQUESTED: &str = "user.password_reset_requested";
const VERIFICATION_REQUESTED: &str = "user.verification_requested";
const OWNER: &str = "192.0.2.77";

fn email() -> Value {
    json!({ "email": ADA })
}

fn registration() -> Value {
    json!({"email": ADA, "password": NEW_PASSWORD, "name": "Eve Stranger"})
}

impl TestUsers {
    /// The same accounts where registration is private.
    fn on_private(users: Self) -> Self {
        let mut table = users.table;
        table.set("REGISTRATION", "private");
        Self::on(table)
    }

    async fn count(&self, event_type: &str) -> usize {
        let types = self.table.event_types().await;
        types.iter().filter(|name| *name == event_type).count()
    }

    /// Requests something for the address as often as `times`, without signing in.
    async fn hammer(&self, ip: &str, path: &str, times: usize) {
        let client = self.client().from_ip(ip);
        let body = if path == REGISTER {
            registration()
        } else {
            email()
        };
        for _ in 0..times {
            client.post(path, &body, ACCEPTED).await;
        }
    }

    /// Whether a password could be set with the token; leaves it valid.
    async fn is_usable(&self, ip: &str, token: &str) -> bool {
        let body = json!({"token": token, "password": "password123"});
        let client = self.client().from_ip(ip);
        let path = "/api/auth/reset-password";
        let reply = client.post(path, &body, UNPROCESSABLE_ENTITY).await;
        reply.invalid_fields() == ["/password"]
    }
}

#[tokio::test]
async fn requests_for_other_emails_use_up_no_resets() {
    for path in [RESEND, REGISTER, "/api/users/profile"] {
        let users = TestUsers::new().await;
        let ada = users.register(ADA).await;
        users.prove(&ada).await;
        let eve = users.register("eve@example.com").await;
        let users = TestUsers::on_private(users);
        match path {
            "/api/users/profile" => {
                let change = json!({"email": ADA, "currentPassword": PASSWORD});
                for _ in 0..7 {
                    users.update_profile(&eve, &change, OK).await;
                }
            }
            path => users.hammer(OWNER, path, 7).await,
        }
        users.client().post(FORGOT, &email(), ACCEPTED).await;
        assert_eq!(users.count(RESET_REQUESTED).await, 1, "{path}");
    }
}

#[tokio::test]
async fn requests_for_other_emails_use_up_no_verifications() {
    for path in [FORGOT, REGISTER] {
        let users = TestUsers::new().await;
        users.register(ADA).await;
        let users = TestUsers::on_private(users);
        users.hammer(OWNER, path, 7).await;
        users.client().post(RESEND, &email(), ACCEPTED).await;
        assert_eq!(users.count(VERIFICATION_REQUESTED).await, 1, "{path}");
    }
}

#[tokio::test]
async fn requests_that_cannot_lead_to_an_email_use_up_none() {
    let users = TestUsers::new().await;
    let ada = users.register(ADA).await;
    users
        .update(ada.id, &json!({"status": "suspended"}), OK)
        .await;
    users.hammer(OWNER, FORGOT, 7).await;
    users.hammer(OWNER, RESEND, 7).await;
    users.update(ada.id, &json!({"status": "active"}), OK).await;
    users.client().post(FORGOT, &email(), ACCEPTED).await;
    users.client().post(RESEND, &email(), ACCEPTED).await;
    assert_eq!(users.count(RESET_REQUESTED).await, 1);
    assert_eq!(users.count(VERIFICATION_REQUESTED).await, 1);
}

#[tokio::test]
async fn an_address_gets_five_verifications_an_hour_also_while_somebody_keeps_requesting() {
    let users = TestUsers::new().await;
    users.register(ADA).await;
    for hour in 1..=3 {
        users.hammer(OWNER, RESEND, 12).await;
        assert_eq!(users.count(VERIFICATION_REQUESTED).await, 5 * hour);
        users.advance(SignedDuration::from_hours(1));
    }
}

#[tokio::test]
async fn strangers_who_keep_requesting_and_guessing_leave_the_owner_a_usable_reset() {
    let users = TestUsers::new().await;
    users.register(ADA).await;
    // At every moment of some windows, whether the owner asks once or the strangers do.
    for step in 0..30 {
        let stranger = format!("198.51.100.{step}");
        for path in [RESEND, FORGOT] {
            users.hammer(&stranger, path, 6).await;
        }
        for network in 0..4 {
            let client = users.client().from_ip(&format!("198.51.{network}.{step}"));
            let wrong = json!({"email": ADA, "password": "wrong horse battery"});
            for _ in 0..if step % 15 == 0 { 5 } else { 0 } {
                client.post("/api/auth/login", &wrong, UNAUTHORIZED).await;
            }
        }
        users.hammer(OWNER, FORGOT, 1).await;
        let token = users.mailed_token(RESET_REQUESTED).await;
        assert!(users.is_usable(OWNER, &token).await, "{step}");
        users.advance(SignedDuration::from_mins(4));
    }
    let sent = users.count(RESET_REQUESTED).await;
    assert!((12..=14).contains(&sent), "two in each window: {sent}");

    users.hammer("198.51.100.99", FORGOT, 6).await;
    let token = users.mailed_token(RESET_REQUESTED).await;
    let reply = users.reset_password(&token, NEW_PASSWORD, OK).await;
    let device = reply.body["data"]["deviceToken"].as_str().unwrap();
    let body = json!({"email": ADA, "password": NEW_PASSWORD, "deviceToken": device});
    let client = users.client().from_ip(OWNER);
    client.post("/api/auth/login", &body, OK).await;
}
