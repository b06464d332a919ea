//! `POST /api/auth/register`.

use contracts::events::UserRegistered;
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use testkit::{Reply, status::*};

use crate::fixture::{PASSWORD, Person, TestUsers};

const PATH: &str = "/api/auth/register";

fn ada() -> Value {
    json!({
        "email": " Ada+Shop@Example.com ", "password": PASSWORD, "name": " Ada Lovelace ",
        "phone": "+4930123456"
    })
}

#[tokio::test]
async fn a_new_user_is_signed_in() {
    let users = TestUsers::new().await;
    for (path, email) in [
        (PATH, "ada@example.com"),
        ("/api/users/register", "bob@example.com"),
    ] {
        let mut body = ada();
        body["email"] = email.into();
        let reply = users.client().post(path, &body, CREATED).await;
        let data = &reply.body["data"];
        let id = data["user"]["id"].as_str().unwrap();
        assert_eq!(reply.header("location"), Some(&*format!("/api/users/{id}")));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.body["message"], "account created");
        assert_eq!(
            (&data["expiresIn"], &data["tokenType"]),
            (&json!(600), &json!("Bearer"))
        );
        let person = Person::of(&reply);
        assert_eq!(users.authorize(&person.token).await, "user");
        users.refresh(&person.refresh, OK).await;
    }
}

#[tokio::test]
async fn the_reply_shows_normalised_fields_and_no_password_hash() {
    let users = TestUsers::new().await;
    let reply = users.client().post(PATH, &ada(), CREATED).await;
    let mut user = reply.body["data"]["user"].clone();
    user.as_object_mut().unwrap().remove("id");
    let expected = json!({
        "email": "ada+shop@example.com", "name": "Ada Lovelace", "phone": "+4930123456",
        "role": "user", "status": "active", "emailVerified": false, "mfaEnabled": false,
        "createdAt": "2026-01-01T00:00:00Z", "bio": null, "avatar": null, "birthDate": null,
        "gender": null,
        "preferences": {"email": true, "sms": false, "push": true, "marketing": false}
    });
    assert_eq!(user, expected);
    assert!(!reply.body.to_string().contains("argon2"));
}

#[tokio::test]
async fn a_registration_is_published_with_a_token_that_only_notifications_can_read() {
    let users = TestUsers::new().await;
    let client = users.client().with_header("x-correlation-id", "chain-7");
    let reply = client.post(PATH, &ada(), CREATED).await;
    let events = users.table.events().await;
    assert_eq!(users.table.event_types().await, ["user.registered"]);
    let ours = reply.header("x-correlation-id").unwrap();
    assert_eq!(events[0].correlationid, ours);
    assert_eq!(events[0].clientcorrelationid.as_deref(), Some("chain-7"));
    assert_eq!(events[0].sourceip, None);
    let data: UserRegistered = events[0].read().unwrap();
    assert_eq!(
        events[0].subject,
        reply.body["data"]["user"]["id"].as_str().unwrap()
    );
    assert_eq!(
        (&*data.email, &*data.name),
        ("ada+shop@example.com", "Ada Lovelace")
    );
    let sealed = &data.sealed_verification_token;
    let token = users.open_mail_token(sealed);
    assert_eq!(token.len(), 43, "32 bytes");
    assert!(users.seal_key("another").open(sealed).is_err());

    // The table contains the hash of the token, and no password.
    let at_rest = format!("{:?}", users.table.items().await);
    assert!(!at_rest.contains(&token) && !at_rest.contains(PASSWORD));
    let refresh = reply.body["data"]["refreshToken"].as_str().unwrap();
    assert!(!at_rest.contains(refresh.split_once('.').unwrap().1));
    let hash = {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        use sha2::{Digest, Sha256};
        URL_SAFE_NO_PAD.encode(Sha256::digest(&token))
    };
    let verifications: Vec<Value> = users
        .table
        .items_of(&format!("VERIFICATION#{hash}"), "VERIFICATION")
        .await;
    assert_eq!(verifications.len(), 1);
    let midnight = 1_767_225_600_i64;
    assert_eq!(verifications[0]["expires_at"], midnight + 86_400);
    assert_eq!(verifications[0]["usable_until"], (midnight + 86_400) * 1000);
}

#[tokio::test]
async fn an_email_can_be_registered_once_however_it_is_written() {
    let users = TestUsers::new().await;
    users.register("ada@example.com").await;
    let before = users.table.items().await.len();
    for email in ["ada@example.com", "ADA@EXAMPLE.COM", " ada@Example.com"] {
        let body = json!({"email": email, "password": PASSWORD, "name": "Another"});
        let reply = users.client().post(PATH, &body, CONFLICT).await;
        assert_eq!(reply.body["code"], "email_taken");
    }
    assert_eq!(users.table.items().await.len(), before, "nothing is stored");
    users.register("ada+shop@example.com").await;
}

#[tokio::test]
async fn of_concurrent_registrations_one_gets_the_email() {
    let users = TestUsers::new().await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada"});
    let requests = (0..16).map(|_| {
        let body = Some(body.to_string());
        users.client().exchange(Method::POST, PATH, body)
    });
    let replies = join_all(requests).await;
    let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == CREATED);
    assert_eq!(won.len(), 1, "{replies:?}");
    let is_told = |reply: &&Reply| reply.body["code"] == "email_taken";
    assert!(lost.iter().all(is_told), "{lost:?}");
    assert_eq!(users.table.event_types().await, ["user.registered"]);
    let stored = (users.stored_users().await, users.sessions().await);
    assert_eq!((stored.0.len(), stored.1.len()), (1, 1));
}

#[tokio::test]
async fn every_invalid_field_is_reported_at_once() {
    let users = TestUsers::new().await;
    let fields = async |body: Value| {
        let reply = users.client().post(PATH, &body, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.body["code"], "validation_failed");
        let mut fields: Vec<String> = reply.invalid_fields().into_iter().map(Into::into).collect();
        fields.sort();
        fields
    };
    assert_eq!(fields(json!({})).await, ["/email", "/name", "/password"]);
    let wrong = json!({
        "email": "ada@", "password": "short", "name": "A", "phone": "030", "role": "admin"
    });
    let expected = ["/email", "/name", "/password", "/phone", "/role"];
    assert_eq!(fields(wrong).await, expected);
    let wrong = json!({"email": 1, "password": ["x"], "name": null, "phone": true});
    assert_eq!(
        fields(wrong).await,
        ["/email", "/name", "/password", "/phone"]
    );
    assert_eq!(fields(json!([])).await, [""]);
    let stored = users.stored_users().await;
    assert!(stored.is_empty(), "{stored:?}");
}

#[tokio::test]
async fn an_easily_guessed_password_is_rejected_with_advice() {
    let users = TestUsers::new().await;
    for password in [
        "password123",
        "qwertzuiop",
        "ada@example.com",
        "Lovelace1815",
        "Emporium2026!",
        "AdaEmporium2026",
        "password1password1password1password1password1password1",
    ] {
        let mut body = ada();
        body["email"] = "ada@example.com".into();
        body["password"] = password.into();
        let reply = users.client().post(PATH, &body, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), ["/password"], "{password}");
        let message = reply.body["errors"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("is too easy to guess. "), "{message}");
        assert!(!message.contains(password));
    }
}

#[tokio::test]
async fn the_configured_name_of_the_shop_is_easily_guessed() {
    let users = TestUsers::with(&[("SHOP_NAME", "Zwlrakovic")]).await;
    for (password, status) in [
        ("zwlrakovic7", UNPROCESSABLE_ENTITY),
        ("zwlrakovic seven otters paint", CREATED),
    ] {
        let mut body = ada();
        body["password"] = password.into();
        let reply = users.client().post(PATH, &body, status).await;
        if status == UNPROCESSABLE_ENTITY {
            assert_eq!(reply.invalid_fields(), ["/password"]);
        }
    }
}

#[tokio::test]
async fn malformed_oversized_and_non_json_bodies_are_rejected() {
    let users = TestUsers::new().await;
    let send = |body: &str, status| {
        let body = Some(body.to_owned());
        users.client().send(Method::POST, PATH, body, status)
    };
    send("{", BAD_REQUEST).await;
    send("", BAD_REQUEST).await;
    send(
        &format!("\"{}\"", "x".repeat(256 * 1024)),
        PAYLOAD_TOO_LARGE,
    )
    .await;
    let text = users.client().with_header("content-type", "text/plain");
    text.post(PATH, &ada(), UNSUPPORTED_MEDIA_TYPE).await;
}
