//! Addresses with a quoted local part, or a domain that is no host name, which were
//! accepted once.

use contracts::events::UserRegistered;
use kernel::UserId;
use serde_json::json;
use testkit::{new_id, status::*};
use users::{
    domain::{MailTokenRecord, User},
    store::NewUser,
};

use crate::fixture::{NEW_PASSWORD, PASSWORD, Person, TestUsers};

const QUOTED: &str = "\"<b>ada</b>\"@example.com";
const NO_HOST: &str = "ada@exam_ple.com";

/// Stores an account as `register-user` did while it accepted such addresses.
async fn store_account(users: &TestUsers, email: &str) {
    let bob = users.register("bob@example.com").await;
    let id: UserId = new_id();
    let user = User {
        id,
        email: serde_json::from_value(json!(email)).unwrap(),
        ..users.user(bob.id).await
    };
    let now = users.clock().now();
    let registered = users.table.event(&UserRegistered {
        user_id: id,
        email: email.into(),
        name: "Ada".into(),
        sealed_verification_token: String::new(),
    });
    let new = NewUser {
        user: &user,
        verification_hash: "hash",
        verification: &MailTokenRecord::verify_current_email(&user, now),
        registered: &registered,
    };
    users.store().register(&new, None).await.unwrap();
}

#[tokio::test]
async fn a_quoted_local_part_is_refused_when_registering_and_as_a_new_address() {
    let users = TestUsers::new().await;
    let body = json!({"email": QUOTED, "password": PASSWORD, "name": "Ada Lovelace"});
    let client = users.client();
    let path = "/api/auth/register";
    let reply = client.post(path, &body, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/email"]);
    let ada = users.register("ada@example.com").await;
    let change = json!({"email": QUOTED, "currentPassword": PASSWORD});
    let reply = users
        .update_profile(&ada, &change, UNPROCESSABLE_ENTITY)
        .await;
    assert_eq!(reply.invalid_fields(), ["/email"]);
}

#[tokio::test]
async fn accounts_whose_address_is_refused_today_sign_in_and_reset_their_password() {
    for email in [QUOTED, NO_HOST] {
        let users = TestUsers::new().await;
        store_account(&users, email).await;
        let ada = Person::of(&users.log_in(email, PASSWORD, OK).await);
        assert_eq!(users.me(&ada).await["email"], email);
        let token = users.request_password_reset(email).await;
        users.reset_password(&token, NEW_PASSWORD, OK).await;
        users.log_in(email, NEW_PASSWORD, OK).await;
    }
}
