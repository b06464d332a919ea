//! Addresses with a quoted local part, which were accepted once.

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

/// Stores an account as `register-user` did while it accepted such addresses.
async fn store_account(users: &TestUsers) {
    let bob = users.register("bob@example.com").await;
    let id: UserId = new_id();
    let user = User {
        id,
        email: serde_json::from_value(json!(QUOTED)).unwrap(),
        ..users.user(bob.id).await
    };
    let now = users.clock().now();
    let registered = users.table.event(&UserRegistered {
        user_id: id,
        email: QUOTED.into(),
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
async fn an_account_that_has_a_quoted_local_part_signs_in_and_resets_its_password() {
    let users = TestUsers::new().await;
    store_account(&users).await;
    let ada = Person::of(&users.log_in(QUOTED, PASSWORD, OK).await);
    assert_eq!(users.me(&ada).await["email"], QUOTED);
    let token = users.request_password_reset(QUOTED).await;
    users.reset_password(&token, NEW_PASSWORD, OK).await;
    users.log_in(QUOTED, NEW_PASSWORD, OK).await;
}
