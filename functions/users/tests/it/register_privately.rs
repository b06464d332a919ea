//! `POST /api/auth/register` where it does not reveal whether an address is taken.

use contracts::events::UserRegistrationAttempted;
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use testkit::{LostReplies, Reply, TestTable, status::*};
use users::store::SCHEMA;

use crate::fixture::{NEW_PASSWORD, PASSWORD, Person, TestUsers};

const PATH: &str = "/api/auth/register";
const ADA: &str = "ada@example.com";
const PRIVATE: &[(&str, &str)] = &[("REGISTRATION", "private")];
const ATTEMPTED: &str = "user.registration_attempted";

fn body(email: &str, password: &str) -> Value {
    json!({"email": email, "password": password, "name": "Ada Lovelace"})
}

/// All that a client sees, but for what differs between any two replies.
fn seen(reply: &Reply) -> (StatusCode, Vec<String>, Value) {
    let mut body = reply.body.clone();
    body["meta"]["requestId"] = Value::Null;
    let mut headers: Vec<String> = reply
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value:?}"))
        .filter(|line| !line.starts_with("x-request-id") && !line.starts_with("x-correlation-id"))
        .filter(|line| !line.starts_with("ratelimit-remaining"))
        .collect();
    headers.sort();
    (reply.status, headers, body)
}

impl TestUsers {
    async fn register_privately(&self, email: &str, password: &str) -> Reply {
        let body = body(email, password);
        self.client().post(PATH, &body, ACCEPTED).await
    }

    /// Registers, and follows the link in the e-mail.
    async fn register_and_verify(&self, email: &str) {
        self.register_privately(email, PASSWORD).await;
        let token = self.mailed_token("user.registered").await;
        self.verify_email(&token, OK).await;
    }

    async fn attempts(&self) -> Vec<UserRegistrationAttempted> {
        let events = self.table.events().await.into_iter();
        let attempts = events.filter(|event| event.event_type == ATTEMPTED);
        attempts.map(|event| event.read().unwrap()).collect()
    }
}

#[tokio::test]
async fn a_taken_address_and_a_free_one_have_the_same_reply_after_the_same_calls() {
    let mut users = TestUsers::with(PRIVATE).await;
    users.register_and_verify("taken@example.com").await;
    users
        .register_privately("unverified@example.com", PASSWORD)
        .await;
    users.register_and_verify("suspended@example.com").await;
    let suspended = users.stored_users().await;
    let suspended = suspended
        .iter()
        .find(|user| user["email"] == "suspended@example.com")
        .unwrap();
    let id = suspended["id"].as_str().unwrap().parse().unwrap();
    users.update(id, &json!({"status": "suspended"}), OK).await;
    let (calls, client) = users.recorded("register-user").await;
    let mut replies = Vec::new();
    for email in [
        "taken@example.com",
        "unverified@example.com",
        "suspended@example.com",
        "free@example.com",
    ] {
        // The limit of the address has its item.
        let mail = json!({ "email": email });
        let reset = users.client();
        reset
            .post("/api/auth/forgot-password", &mail, ACCEPTED)
            .await;
        calls.take();
        let reply = client
            .post(PATH, &body(email, NEW_PASSWORD), ACCEPTED)
            .await;
        // The limits of the caller and of the address; then two reads and one write.
        let expected = [
            "UpdateItem",
            "UpdateItem",
            "GetItem",
            "GetItem",
            "TransactWriteItems",
        ];
        assert_eq!(calls.take(), expected, "{email}");
        replies.push(seen(&reply));
    }
    assert!(
        replies.iter().all(|reply| *reply == replies[0]),
        "{replies:?}"
    );
    let told: Vec<String> = users
        .attempts()
        .await
        .into_iter()
        .map(|data| data.email)
        .collect();
    assert_eq!(told, ["taken@example.com", "unverified@example.com"]);
}

#[tokio::test]
async fn nobody_finds_out_by_logging_in_with_what_they_registered() {
    let users = TestUsers::with(PRIVATE).await;
    users.register_and_verify("taken@example.com").await;
    let mut replies = Vec::new();
    for email in ["taken@example.com", "free@example.com"] {
        users.register_privately(email, NEW_PASSWORD).await;
        let reply = users.log_in(email, NEW_PASSWORD, UNAUTHORIZED).await;
        let mut body = reply.body;
        body["requestId"] = Value::Null;
        replies.push(body);
    }
    assert_eq!(replies[0], replies[1]);
}

#[tokio::test]
async fn a_new_account_logs_in_once_its_address_is_verified() {
    let users = TestUsers::with(PRIVATE).await;
    let reply = users.register_privately(ADA, PASSWORD).await;
    assert!(reply.body.get("data").is_none_or(Value::is_null));
    assert!(users.sessions().await.is_empty());
    users.log_in(ADA, PASSWORD, UNAUTHORIZED).await;
    let token = users.mailed_token("user.registered").await;
    users.verify_email(&token, OK).await;
    let ada = Person::of(&users.log_in(ADA, PASSWORD, OK).await);
    assert_eq!(users.me(&ada).await["emailVerified"], true);
}

#[tokio::test]
async fn a_reset_through_the_mailbox_also_opens_an_unverified_account() {
    let users = TestUsers::with(PRIVATE).await;
    users.register_privately(ADA, PASSWORD).await;
    let token = users.request_password_reset(ADA).await;
    users.reset_password(&token, NEW_PASSWORD, OK).await;
    users.log_in(ADA, NEW_PASSWORD, OK).await;
}

#[tokio::test]
async fn registering_again_creates_one_account_and_changes_nothing_of_it() {
    let users = TestUsers::with(PRIVATE).await;
    users.register_and_verify(ADA).await;
    let before = users.stored_users().await;
    for email in [ADA, " ADA@example.com"] {
        users.register_privately(email, NEW_PASSWORD).await;
    }
    assert_eq!(users.stored_users().await, before);
    users.log_in(ADA, NEW_PASSWORD, UNAUTHORIZED).await;
    users.log_in(ADA, PASSWORD, OK).await;
}

#[tokio::test]
async fn a_registration_whose_reply_was_lost_ends_up_the_same() {
    for first in 0..2 {
        let losses = LostReplies::every(2, first).except("LIMIT#");
        let table = TestTable::create(&SCHEMA).await;
        let mut table = table.losing(&losses).await;
        table.set("REGISTRATION", "private");
        let users = TestUsers::on(table);
        for _ in 0..2 {
            users.register_privately(ADA, PASSWORD).await;
        }
        assert_eq!((losses.writes(), losses.lost()), (2, 1));
        assert_eq!(users.stored_users().await.len(), 1);
        let types = users.table.event_types().await;
        assert_eq!(types, ["user.registered", ATTEMPTED]);
    }
}

#[tokio::test]
async fn of_concurrent_registrations_one_creates_the_account_and_all_have_the_same_reply() {
    let users = TestUsers::with(PRIVATE).await;
    let requests = (0..8).map(|n| {
        let body = body(ADA, &format!("{PASSWORD} {n}")).to_string();
        users.client().exchange(Method::POST, PATH, Some(body))
    });
    let replies: Vec<_> = join_all(requests).await.iter().map(seen).collect();
    assert_eq!(replies[0].0, ACCEPTED);
    assert!(
        replies.iter().all(|reply| *reply == replies[0]),
        "{replies:?}"
    );
    assert_eq!(users.stored_users().await.len(), 1);
    let registered = users.table.event_types().await.into_iter();
    let registered = registered.filter(|event_type| event_type == "user.registered");
    assert_eq!(registered.count(), 1);
}

#[tokio::test]
async fn the_owner_is_told_at_most_five_times_an_hour_and_nothing_that_was_typed() {
    let users = TestUsers::with(PRIVATE).await;
    users.register_and_verify(ADA).await;
    for _ in 0..7 {
        let mut body = body(ADA, NEW_PASSWORD);
        body["name"] = json!("Call 0900 123456");
        users.client().post(PATH, &body, ACCEPTED).await;
    }
    // The registration itself counts as one.
    assert_eq!(users.attempts().await.len(), 4);
    let events = users.table.events().await;
    let attempt = events.iter().rfind(|event| event.event_type == ATTEMPTED);
    let data = &attempt.unwrap().data;
    assert_eq!(data.as_object().unwrap().len(), 2, "{data}");
    let at_rest = format!("{:?}", users.table.items().await);
    assert!(!at_rest.contains("0900"));
}

#[tokio::test]
async fn invalid_fields_are_reported_as_ever() {
    let users = TestUsers::with(PRIVATE).await;
    let client = users.client();
    let reply = client.post(PATH, &json!({}), UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/email", "/name", "/password"]);
}

#[tokio::test]
async fn the_link_and_the_password_show_one_person_where_no_session_can() {
    let users = TestUsers::with(PRIVATE).await;
    users.register_privately(ADA, PASSWORD).await;
    let token = users.mailed_token("user.registered").await;
    let verify = async |password: &str, ip: &str, expected: StatusCode| {
        let body = json!({"token": token, "currentPassword": password});
        let client = users.client().from_ip(ip);
        client.post("/api/auth/verify-email", &body, expected).await
    };
    let attacker = "198.51.100.7";
    for _ in 0..5 {
        let reply = verify(NEW_PASSWORD, attacker, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), ["/currentPassword"]);
    }
    assert_eq!(users.failures().await, 5);
    // Locked, with the same reply; logging in from there is locked as well.
    let reply = verify(PASSWORD, attacker, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/currentPassword"]);
    assert_eq!(users.stored_users().await[0]["email_verified"], false);
    // The token is not used up.
    let reply = verify(PASSWORD, "192.0.2.77", OK).await;
    let ended = json!({"sessionsEnded": "all", "mfaDisabled": false});
    assert_eq!(reply.body["data"], ended);
    assert_eq!(users.failures().await, 5, "the right one is not counted");
    let ada = Person::of(&users.log_in(ADA, PASSWORD, OK).await);
    let headers = json!({"authorization": format!("Bearer {}", ada.token)});
    let context = users.authorizer_context(&headers).await;
    assert_eq!(context["unverified"], "false");
    users.enable_mfa(&ada).await;
}
