//! `POST /api/users/close`, and reopening the account by logging in.

use kernel::SignedDuration;
use serde_json::{Value, json};
use testkit::{Reply, status::*};

use crate::fixture::{NEW_PASSWORD, PASSWORD, Person, TestUsers, password_log_in};

pub(crate) const GRACE: SignedDuration = SignedDuration::from_hours(30 * 24);
const PATH: &str = "/api/users/close";

impl TestUsers {
    pub(crate) async fn close_account(
        &self,
        person: &Person,
        password: &str,
        expected: StatusCode,
    ) -> Reply {
        let body = json!({ "currentPassword": password });
        self.client_of(person).post(PATH, &body, expected).await
    }

    /// Runs `erase-accounts`; returns how many accounts it erased.
    pub(crate) async fn erase_accounts(&self) -> u64 {
        let job = self.function("erase-accounts").await;
        testkit::run(&job).await["erased"].as_u64().unwrap()
    }

    /// Marks every event as published, as the relay does.
    pub(crate) async fn publish_events(&self) {
        for item in self.table.items().await {
            if item.contains_key("unsent") {
                let table = self.table.table();
                let update = table.client().update_item().table_name(table.name());
                let update = update
                    .key("pk", item["pk"].clone())
                    .key("sk", item["sk"].clone());
                let update = update.update_expression("REMOVE unsent, unsent_since");
                update.send().await.unwrap();
            }
        }
    }

    /// The number of accounts.
    pub(crate) async fn total(&self) -> Value {
        let reply = self.internal_client().get("/api/users", OK).await;
        reply.body["meta"]["pagination"]["total"].clone()
    }
}

#[tokio::test]
async fn closing_ends_every_session_and_logging_in_reopens_the_account() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let other = Person::of(&users.log_in("ada@example.com", PASSWORD, OK).await);
    let reply = users.close_account(&ada, PASSWORD, OK).await;
    assert_eq!(reply.body["data"]["eraseAt"], "2026-01-31T00:00:00Z");
    for person in [&ada, &other] {
        assert_eq!(users.authorize(&person.token).await, "account_inactive");
        users.refresh(&person.refresh, UNAUTHORIZED).await;
    }
    let closed = users.get_user(ada.id, OK).await;
    assert_eq!(closed["status"], "inactive");
    assert_eq!(closed["eraseAt"], "2026-01-31T00:00:00Z");

    users.advance(GRACE - SignedDuration::from_millis(1));
    assert_eq!(users.erase_accounts().await, 0);
    users
        .log_in("ada@example.com", "another password", UNAUTHORIZED)
        .await;
    let back = users.log_in("ada@example.com", PASSWORD, OK).await;
    assert_eq!(back.body["data"]["user"]["status"], "active");
    let back = Person::of(&back);
    assert_eq!(users.authorize(&back.token).await, "user");
    // Reopening does not restore the old sessions.
    assert_eq!(users.authorize(&other.token).await, "token_expired");
    users.refresh(&other.refresh, UNAUTHORIZED).await;
    let reopened = users.get_user(ada.id, OK).await;
    assert!(reopened.get("eraseAt").is_none());
    users.advance(GRACE);
    assert_eq!(users.erase_accounts().await, 0, "the account was reopened");
    assert_eq!(users.total().await, 1);
    let active = users.internal_client();
    let active = active.get("/api/users?status=active", OK).await;
    assert_eq!(active.body["meta"]["pagination"]["total"], 1);
    let types = users.table.event_types().await;
    let expected = [
        "user.registered",
        "user.updated",
        "user.deactivated",
        "user.updated",
        "user.reactivated",
    ];
    assert_eq!(types, expected);
}

#[tokio::test]
async fn reopening_requires_the_second_factor() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa("ada@example.com").await;
    let code = users.code(&ada.secret, 0);
    let body = json!({"currentPassword": PASSWORD, "otp": code});
    users.client_of(&ada.person).post(PATH, &body, OK).await;
    users.advance(SignedDuration::from_secs(30));
    let alone = json!({"email": "ada@example.com", "password": PASSWORD});
    let reply = users
        .client()
        .post("/api/auth/login", &alone, UNAUTHORIZED)
        .await;
    assert_eq!(reply.body["code"], "mfa_required");
    users
        .log_in_with_code("ada@example.com", "000000", UNAUTHORIZED)
        .await;
    let closed = users.get_user(ada.person.id, OK).await;
    assert_eq!(closed["status"], "inactive");
    let code = users.code(&ada.secret, 0);
    let back = users.log_in_with_code("ada@example.com", &code, OK).await;
    assert_eq!(back.body["data"]["user"]["status"], "active");
}

#[tokio::test]
async fn closing_requires_the_password() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    for _ in 0..5 {
        let reply = users
            .close_account(&ada, "not the password", UNPROCESSABLE_ENTITY)
            .await;
        assert_eq!(reply.invalid_fields(), ["/currentPassword"]);
    }
    // The session is locked.
    users
        .close_account(&ada, PASSWORD, UNPROCESSABLE_ENTITY)
        .await;
    let client = users.client_of(&ada);
    let reply = client.post(PATH, &json!({}), UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/currentPassword"]);
    let body = json!({ "currentPassword": PASSWORD });
    users.client().post(PATH, &body, UNAUTHORIZED).await;
}

#[tokio::test]
async fn the_last_admin_cannot_close_their_account() {
    let users = TestUsers::new().await;
    let root = users.register_admin("root@example.com").await;
    let reply = users.close_account(&root, PASSWORD, CONFLICT).await;
    assert_eq!(reply.body["code"], "last_admin");
    let two = users.register_admin("two@example.com").await;
    users.close_account(&root, PASSWORD, OK).await;
    users.close_account(&two, PASSWORD, CONFLICT).await;
    // Reopening restores the role.
    users.log_in("root@example.com", PASSWORD, OK).await;
    users.close_account(&two, PASSWORD, OK).await;
}

#[tokio::test]
async fn an_account_that_an_admin_reopened_is_not_erased() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users.close_account(&ada, PASSWORD, OK).await;
    users.update(ada.id, &json!({"status": "active"}), OK).await;
    users.publish_events().await;
    users.advance(GRACE);
    assert_eq!(users.erase_accounts().await, 0);
    users.log_in("ada@example.com", PASSWORD, OK).await;
}

#[tokio::test]
async fn an_owner_cannot_reopen_an_account_that_an_admin_deactivated() {
    for change in ["delete", "inactive", "suspended"] {
        let users = TestUsers::new().await;
        let ada = users.register("ada@example.com").await;
        users.close_account(&ada, PASSWORD, OK).await;
        if change == "delete" {
            users.delete_user(ada.id, OK).await;
        } else {
            users.update(ada.id, &json!({ "status": change }), OK).await;
        }
        users
            .log_in("ada@example.com", PASSWORD, UNAUTHORIZED)
            .await;
        users.publish_events().await;
        users.advance(GRACE);
        assert_eq!(
            users.erase_accounts().await,
            1,
            "its owner has asked for it"
        );
        assert_eq!(users.total().await, 0, "{change}");
    }
}

#[tokio::test]
async fn a_reopening_decided_before_an_admin_deactivated_the_account_is_rejected() {
    use users::store::{LogIn, Reactivation, StoreLogInError};
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users.close_account(&ada, PASSWORD, OK).await;
    let user = users.user(ada.id).await;
    let reactivation = Reactivation {
        user: &user.reactivated(),
        events: &[],
    };
    let session = users.new_session(&user);
    let log_in = LogIn {
        reactivation: Some(reactivation),
        ..password_log_in(&user, &session)
    };
    users.delete_user(ada.id, OK).await;
    let rejected = users.store().log_in(log_in).await;
    assert!(
        matches!(rejected, Err(StoreLogInError::Changed)),
        "{rejected:?}"
    );
    assert_eq!(users.get_user(ada.id, OK).await["status"], "inactive");
}

#[tokio::test]
async fn a_password_reset_recovers_an_account_that_an_attacker_closed() {
    const THEIRS: &str = "nine herons read the news";
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    // The attacker has the session and the password.
    users.change_password(&ada, (PASSWORD, THEIRS), OK).await;
    users.close_account(&ada, THEIRS, OK).await;
    let token = users.request_password_reset("ada@example.com").await;
    users.reset_password(&token, NEW_PASSWORD, OK).await;
    users.log_in("ada@example.com", THEIRS, UNAUTHORIZED).await;
    let back = users.log_in("ada@example.com", NEW_PASSWORD, OK).await;
    assert_eq!(back.body["data"]["user"]["status"], "active");
}
