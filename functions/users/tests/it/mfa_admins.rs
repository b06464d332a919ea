//! Admins, when they are required to use MFA.

use kernel::SignedDuration;
use serde_json::{Value, json};
use testkit::status::*;
use users::credentials::tokens::AccessTokens;

use crate::fixture::{AUTH_SECRET, NEW_PASSWORD, PASSWORD, Person, TestUsers, versions};

impl TestUsers {
    async fn requiring_admin_mfa() -> Self {
        Self::with(&[("ADMIN_MFA", "required")]).await
    }

    /// The role that the authorizer grants to a token, and the one that it withholds.
    async fn roles(&self, token: &str) -> (Value, Value) {
        let headers = json!({"authorization": format!("Bearer {token}")});
        let context = self.authorizer_context(&headers).await;
        (context["role"].clone(), context["withheld"].clone())
    }
}

fn granted() -> (Value, Value) {
    (json!("admin"), Value::Null)
}

fn withheld() -> (Value, Value) {
    (json!("user"), json!("admin"))
}

#[tokio::test]
async fn the_role_is_withheld_from_sessions_not_begun_with_a_second_factor() {
    let users = TestUsers::requiring_admin_mfa().await;
    let ada = users.register_admin("ada@example.com").await;
    assert_eq!(users.roles(&ada.token).await, withheld());
    users.prove(&ada).await;
    let other = Person::of(&users.log_in("ada@example.com", PASSWORD, OK).await);

    let secret = users.enable_mfa(&ada).await;
    // Both sessions began with the password alone, and either may be a thief's.
    assert_eq!(users.roles(&ada.token).await, withheld());
    assert_eq!(users.roles(&other.token).await, withheld());
    let next = users.code(&secret, 1);
    let with_code = users.log_in_with_code("ada@example.com", &next, OK).await;
    let with_code = Person::of(&with_code);
    assert_eq!(users.roles(&with_code.token).await, granted());

    // A refresh and a new password keep the session verified.
    let refreshed = Person::of(&users.refresh(&with_code.refresh, OK).await);
    assert_eq!(users.roles(&refreshed.token).await, granted());
    let passwords = (PASSWORD, NEW_PASSWORD);
    users.change_password(&refreshed, passwords, OK).await;
    assert_eq!(users.roles(&refreshed.token).await, granted());
}

#[tokio::test]
async fn disabling_mfa_withholds_the_role_from_every_session() {
    let users = TestUsers::requiring_admin_mfa().await;
    let ada = users.register_admin("ada@example.com").await;
    let secret = users.enable_mfa(&ada).await;
    users.advance(SignedDuration::from_secs(60));
    let now = users.code(&secret, 0);
    let ada = Person::of(&users.log_in_with_code("ada@example.com", &now, OK).await);
    assert_eq!(users.roles(&ada.token).await, granted());
    let next = users.code(&secret, 1);
    let other = users.log_in_with_code("ada@example.com", &next, OK).await;
    let other = Person::of(&other);
    assert_eq!(users.roles(&other.token).await, granted());
    users.advance(SignedDuration::from_secs(60));
    users.disable_mfa(&ada, &users.code(&secret, 0), OK).await;
    assert_eq!(users.roles(&ada.token).await, withheld());
    // Another factor restores it neither to this session, which began before it, nor to
    // the other one, which has ended.
    users.enable_mfa(&ada).await;
    assert_eq!(users.roles(&ada.token).await, withheld());
    assert_eq!(users.authorize(&other.token).await, "session_ended");
}

/// Third parties verify a token, or read the claims themselves.
#[tokio::test]
async fn a_withheld_role_is_neither_in_the_token_nor_in_its_verification() {
    let users = TestUsers::requiring_admin_mfa().await;
    let ada = users.register_admin("ada@example.com").await;
    let refreshed = Person::of(&users.refresh(&ada.refresh, OK).await);
    let tokens = AccessTokens::new("emporium", &versions(AUTH_SECRET)).unwrap();
    let claims = tokens.verify(&refreshed.token, users.clock().now());
    assert_eq!(claims.unwrap().role.as_str(), "user");
    let body = json!({ "token": refreshed.token });
    let reply = users.client().post("/api/auth/verify", &body, OK).await;
    assert_eq!(reply.body["data"]["role"], "user");
}
