use contracts::events::UserRegistered;
use futures_util::future::join_all;
use runtime::SealKey;
use serde_json::{Value, json};
use testkit::status::*;

use crate::shop::{MAIL_SECRET, PASSWORD, Shop, versions};

fn ada() -> Value {
    json!({
        "email": " Ada+Shop@Example.com ", "password": PASSWORD, "name": " Ada Lovelace ",
        "phone": "+4930123456"
    })
}

#[tokio::test]
async fn a_new_person_is_signed_in_at_once() {
    let shop = Shop::open().await;
    for (path, email) in [
        ("/api/auth/register", "ada@example.com"),
        ("/api/users/register", "bob@example.com"),
    ] {
        let mut body = ada();
        body["email"] = email.into();
        let reply = shop.register.post(path, &body, CREATED).await;
        let data = &reply.body["data"];
        let id = data["user"]["id"].as_str().unwrap();
        assert_eq!(reply.header("location"), Some(&*format!("/api/users/{id}")));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.body["message"], "account created");
        assert_eq!(
            (&data["expiresIn"], &data["tokenType"]),
            (&json!(600), &json!("Bearer"))
        );
        assert_eq!(shop.verdict(data["token"].as_str().unwrap()).await, "user");
        shop.refresh(data["refreshToken"].as_str().unwrap(), OK)
            .await;
    }
}

#[tokio::test]
async fn the_user_is_shown_normalised_and_without_the_hash() {
    let shop = Shop::open().await;
    let reply = shop
        .register
        .post("/api/auth/register", &ada(), CREATED)
        .await;
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
async fn it_is_announced_and_only_notifications_can_read_the_token() {
    let shop = Shop::open().await;
    let client = shop.register.with_header("x-correlation-id", "chain-7");
    let reply = client.post("/api/auth/register", &ada(), CREATED).await;
    let events = shop.table.events().await;
    assert_eq!(shop.table.event_types().await, ["user.registered"]);
    assert_eq!(events[0].correlationid, "chain-7");
    let data: UserRegistered = events[0].read().unwrap();
    assert_eq!(
        events[0].subject,
        reply.body["data"]["user"]["id"].as_str().unwrap()
    );
    assert_eq!(
        (&*data.email, &*data.name),
        ("ada+shop@example.com", "Ada Lovelace")
    );
    let key = |purpose| SealKey::new(versions(MAIL_SECRET, None), purpose);
    let token = key("email-token")
        .open(&data.sealed_verification_token)
        .unwrap();
    assert_eq!(token.len(), 43, "32 bytes");
    assert!(
        key("another")
            .open(&data.sealed_verification_token)
            .is_err()
    );

    // At rest there is only the token's hash, and nothing that a person typed
    // as a password.
    let at_rest = format!("{:?}", shop.table.items().await);
    assert!(!at_rest.contains(&token) && !at_rest.contains(PASSWORD));
    let refresh = reply.body["data"]["refreshToken"].as_str().unwrap();
    assert!(!at_rest.contains(refresh.split_once('.').unwrap().1));
    let hash = {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        use sha2::{Digest, Sha256};
        URL_SAFE_NO_PAD.encode(Sha256::digest(&token))
    };
    let verifications: Vec<Value> = shop
        .table
        .items_of(&format!("VERIFICATION#{hash}"), "VERIFICATION")
        .await;
    assert_eq!(verifications.len(), 1);
    let midnight = 1_767_225_600_i64;
    assert_eq!(verifications[0]["expires_at"], midnight + 86_400);
    assert_eq!(verifications[0]["usable_until"], (midnight + 86_400) * 1000);
}

#[tokio::test]
async fn an_address_is_taken_once_however_it_is_written() {
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    let before = shop.table.items().await.len();
    for email in ["ada@example.com", "ADA@EXAMPLE.COM", " ada@Example.com"] {
        let body = json!({"email": email, "password": PASSWORD, "name": "Another"});
        let reply = shop
            .register
            .post("/api/auth/register", &body, CONFLICT)
            .await;
        assert_eq!(reply.body["code"], "email_taken");
    }
    assert_eq!(shop.table.items().await.len(), before, "nothing was kept");
    shop.register("ada+shop@example.com").await;
}

#[tokio::test]
async fn of_many_at_once_one_gets_the_address() {
    let shop = Shop::open().await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada"});
    let attempts = (0..16).map(|_| {
        let (client, body) = (shop.register.clone(), body.clone());
        tokio::spawn(async move {
            client.post("/api/auth/register", &body, CREATED).await;
        })
    });
    let outcomes = join_all(attempts).await;
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(won, 1, "the others met 409");
    assert_eq!(shop.table.event_types().await, ["user.registered"]);
    let users: Vec<Value> = shop.table.items_of("USER#", "USER").await;
    assert_eq!((users.len(), shop.sessions().await.len()), (1, 1));
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_at_once() {
    let shop = Shop::open().await;
    let fields = async |body: Value| {
        let reply = shop
            .register
            .post("/api/auth/register", &body, UNPROCESSABLE_ENTITY)
            .await;
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
    let users: Vec<Value> = shop.table.items_of("USER#", "USER").await;
    assert!(users.is_empty(), "{users:?}");
}

#[tokio::test]
async fn a_password_that_is_easy_to_guess_is_refused_with_advice() {
    let shop = Shop::open().await;
    for password in [
        "password123",
        "qwertzuiop",
        "ada@example.com",
        "Lovelace1815",
    ] {
        let mut body = ada();
        body["email"] = "ada@example.com".into();
        body["password"] = password.into();
        let reply = shop
            .register
            .post("/api/auth/register", &body, UNPROCESSABLE_ENTITY)
            .await;
        assert_eq!(reply.invalid_fields(), ["/password"], "{password}");
        let message = reply.body["errors"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("is too easy to guess. "), "{message}");
        assert!(!message.contains(password));
    }
}

#[tokio::test]
async fn what_is_not_json_is_not_read() {
    use http::Method;
    let shop = Shop::open().await;
    let send = |body: &str, status| {
        let body = Some(body.to_owned());
        shop.register
            .send(Method::POST, "/api/auth/register", body, status)
    };
    send("{", BAD_REQUEST).await;
    send("", BAD_REQUEST).await;
    send(
        &format!("\"{}\"", "x".repeat(256 * 1024)),
        PAYLOAD_TOO_LARGE,
    )
    .await;
    let text = shop.register.with_header("content-type", "text/plain");
    text.post("/api/auth/register", &ada(), UNSUPPORTED_MEDIA_TYPE)
        .await;
}
