//! An access token alone does not hand over an account: it may be stolen.

use http::Method;
use kernel::SignedDuration;
use serde_json::{Value, json};
use testkit::status::*;

use crate::{
    fixture::{NEW_PASSWORD, PASSWORD, Person, TestUsers},
    mfa_fixture::MfaPerson,
};

const ADA: &str = "ada@example.com";
const ENROLL: &str = "/api/auth/mfa/enroll";
const PROFILE: &str = "/api/users/profile";
const CHANGE_PASSWORD: &str = "/api/users/password";
const CLOSE: &str = "/api/users/close";
/// What was shown at the beginning of a session no longer counts.
const LATER: SignedDuration = SignedDuration::from_mins(5);

impl TestUsers {
    /// Somebody whose session began with a code, five minutes ago.
    async fn with_old_session(&self) -> MfaPerson {
        let ada = self.register_with_mfa(ADA).await;
        let code = self.code(&ada.secret, 0);
        let person = Person::of(&self.log_in_with_code(ADA, &code, OK).await);
        self.advance(LATER);
        MfaPerson { person, ..ada }
    }
}

#[tokio::test]
async fn enrolling_takes_the_password_unless_it_was_shown_within_five_minutes() {
    let users = TestUsers::new().await;
    let ada = users.register(ADA).await;
    users.prove(&ada).await;
    let client = users.client_of(&ada);
    let wrong = json!({"currentPassword": NEW_PASSWORD});
    let reply = client.post(ENROLL, &wrong, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/currentPassword"]);
    users.advance(LATER);
    for nothing in [None, Some(json!({})), Some(json!({"otp": "123456"}))] {
        let body = nothing.map(|body| body.to_string());
        let reply = client.exchange(Method::POST, ENROLL, body).await;
        assert_eq!(
            (reply.status, &reply.body["code"]),
            (FORBIDDEN, &json!("reauthentication_required"))
        );
    }
    assert!(users.stored_factors().await.is_empty());
    let right = json!({"currentPassword": PASSWORD});
    client.post(ENROLL, &right, OK).await;
    // A new session counts again, a refreshed one does not.
    users.refresh(&ada.refresh, OK).await;
    client.post(ENROLL, &json!({}), FORBIDDEN).await;
    let again = Person::of(&users.log_in(ADA, PASSWORD, OK).await);
    let client = users.client_of(&again);
    client.post(ENROLL, &json!({}), OK).await;
}

#[tokio::test]
async fn guessing_the_password_while_enrolling_locks_the_session_and_not_the_owner() {
    let users = TestUsers::new().await;
    let ada = users.register(ADA).await;
    users.prove(&ada).await;
    users.advance(LATER);
    let client = users.client_of(&ada);
    for _ in 0..5 {
        let wrong = json!({"currentPassword": NEW_PASSWORD});
        client.post(ENROLL, &wrong, UNPROCESSABLE_ENTITY).await;
    }
    let right = json!({"currentPassword": PASSWORD});
    client.post(ENROLL, &right, UNPROCESSABLE_ENTITY).await;
    let again = Person::of(&users.log_in(ADA, PASSWORD, OK).await);
    users.client_of(&again).post(ENROLL, &right, OK).await;
}

#[tokio::test]
async fn a_stolen_token_of_an_admin_does_not_become_an_admins_by_enrolling() {
    let users = TestUsers::with(&[("ADMIN_MFA", "required")]).await;
    let ada = users.register_admin(ADA).await;
    users.enable_mfa(&ada).await;
    let headers = json!({"authorization": format!("Bearer {}", ada.token)});
    let context = users.authorizer_context(&headers).await;
    assert_eq!(
        (&context["role"], &context["withheld"]),
        (&json!("user"), &json!("admin"))
    );
}

#[tokio::test]
async fn changing_password_or_address_and_closing_take_a_code_where_there_is_a_factor() {
    let password = json!({"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD});
    let email = json!({"currentPassword": PASSWORD, "email": "new@example.com"});
    let closing = json!({ "currentPassword": PASSWORD });
    for (method, path, body) in [
        (Method::PUT, CHANGE_PASSWORD, password),
        (Method::PUT, PROFILE, email),
        (Method::POST, CLOSE, closing),
    ] {
        let users = TestUsers::new().await;
        let ada = users.with_old_session().await;
        let client = users.client_of(&ada.person);
        let with_otp = |otp: &str| {
            let mut body = body.clone();
            body["otp"] = Value::from(otp);
            body
        };
        let send = async |body: &Value, expected: StatusCode| {
            let body = Some(body.to_string());
            let reply = client.exchange(method.clone(), path, body).await;
            assert_eq!(reply.status, expected, "{path}: {reply:?}");
            reply
        };
        let reply = send(&body, FORBIDDEN).await;
        assert_eq!(reply.body["code"], "reauthentication_required");
        assert_eq!(users.failures().await, 0);
        let old = with_otp(&users.code(&ada.secret, -3));
        let reply = send(&old, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), ["/otp"]);
        assert_eq!(users.failures().await, 1);
        let code = users.code(&ada.secret, 0);
        send(&with_otp(&code), OK).await;
        // The code is used up.
        users
            .disable_mfa(&ada.person, &code, UNPROCESSABLE_ENTITY)
            .await;
    }
}

#[tokio::test]
async fn a_session_begun_without_the_factor_takes_a_code_at_once() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa(ADA).await;
    let passwords = (PASSWORD, NEW_PASSWORD);
    let reply = users.change_password(&ada.person, passwords, FORBIDDEN);
    let reply = reply.await;
    assert_eq!(reply.body["code"], "reauthentication_required");
    let code = users.code(&ada.secret, 0);
    let person = Person::of(&users.log_in_with_code(ADA, &code, OK).await);
    users.change_password(&person, passwords, OK).await;
}

#[tokio::test]
async fn an_admin_shows_the_password_again_to_reset_the_factor_of_another() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa(ADA).await;
    let admin = users.register_admin("bob@example.com").await;
    users.advance(LATER);
    let path = format!("/api/users/{}/mfa", ada.person.id);
    let client = users.admin_client(&admin);
    let reply = client.delete(&path, FORBIDDEN).await;
    assert_eq!(reply.body["code"], "reauthentication_required");
    assert_eq!(users.stored_factors().await.len(), 1);
    let right = json!({"currentPassword": PASSWORD}).to_string();
    let reply = client.exchange(Method::DELETE, &path, Some(right)).await;
    assert_eq!(reply.status, OK);
    assert!(users.stored_factors().await.is_empty());
}

#[tokio::test]
async fn an_admin_shows_the_password_again_to_change_or_close_the_account_of_another() {
    let users = TestUsers::new().await;
    let ada = users.register(ADA).await;
    let admin = users.register_admin("bob@example.com").await;
    users.advance(LATER);
    let path = format!("/api/users/{}", ada.id);
    let client = users.admin_client(&admin);
    let send = async |method: &Method, body: &Value, expected: StatusCode| {
        let body = Some(body.to_string());
        let reply = client.exchange(method.clone(), &path, body).await;
        assert_eq!(reply.status, expected, "{method}: {reply:?}");
        reply
    };
    let before = users.stored_users().await;
    let changes = [
        (Method::PATCH, json!({"role": "admin"})),
        (Method::PATCH, json!({"status": "suspended"})),
        (Method::DELETE, json!({})),
    ];
    for (method, change) in &changes {
        let reply = send(method, change, FORBIDDEN).await;
        assert_eq!(reply.body["code"], "reauthentication_required");
        let mut wrong = change.clone();
        wrong["currentPassword"] = json!(NEW_PASSWORD);
        let reply = send(method, &wrong, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), ["/currentPassword"]);
    }
    client.delete(&path, FORBIDDEN).await;
    assert_eq!(users.stored_users().await, before);
    // What changes nothing needs nothing, so that a repeated request is as good as one.
    let nothing = json!({"role": "user"});
    send(&Method::PATCH, &nothing, OK).await;
    for (method, mut change) in changes {
        change["currentPassword"] = json!(PASSWORD);
        send(&method, &change, OK).await;
    }
    // A client with the internal key has nothing else to show.
    users.update(ada.id, &json!({"status": "active"}), OK).await;
    users.delete_user(ada.id, OK).await;
}

#[tokio::test]
async fn an_admin_with_a_factor_shows_a_code_to_appoint_another_admin() {
    let users = TestUsers::new().await;
    let bob = users.register("bob@example.com").await;
    let ada = users.with_old_session().await;
    users
        .update(ada.person.id, &json!({"role": "admin"}), OK)
        .await;
    let path = format!("/api/users/{}", bob.id);
    let client = users.admin_client(&ada.person);
    let mut body = json!({"role": "admin", "currentPassword": PASSWORD});
    let reply = client.patch(&path, &body, FORBIDDEN).await;
    assert_eq!(reply.body["code"], "reauthentication_required");
    body["otp"] = json!("000000");
    let reply = client.patch(&path, &body, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/otp"]);
    assert_eq!(users.get_user(bob.id, OK).await["role"], "user");
    body["otp"] = json!(users.code(&ada.secret, 0));
    client.patch(&path, &body, OK).await;
    assert_eq!(users.get_user(bob.id, OK).await["role"], "admin");
    // The code is used up, and the change made.
    client.patch(&path, &body, OK).await;
    let client = users.internal_client();
    client.patch(&path, &json!({"role": "user"}), OK).await;
    let client = users.admin_client(&ada.person);
    client.patch(&path, &body, UNPROCESSABLE_ENTITY).await;
}
