//! What users enter and what authenticates them appears in no log, in no stored
//! event, and nowhere else at rest.

use std::{fs, process::Stdio};

use serde_json::json;

use shop_client::{Client, order_of};

use crate::{
    mfa::code,
    process::{EVERYTHING, INTERNAL_KEY, new_directory, start_with_log},
    support::{client_at, is_remote, mail, token_in},
};

const PASSWORD: &str = "canary-of-a-password-7f3a";
const NEW_PASSWORD: &str = "canary-of-another-password-9b1c";
const WRONG_PASSWORD: &str = "canary-of-a-wrong-password-2d4e";
const EMAIL: &str = "canary-of-an-address@example.com";

/// Enables a second factor and uses a code and a recovery code of it; returns
/// its secret and the recovery codes.
async fn second_factor(client: &Client) -> (String, Vec<String>) {
    let session = client.log_in(EMAIL, NEW_PASSWORD, 200).await;
    let me = client.bearer(&session.data()["token"]);
    let enroll = "/api/auth/mfa/enroll";
    let offer = me.post(enroll, &json!({}), 200).await;
    let secret = offer.data()["secret"].as_str().unwrap().to_owned();
    let body = json!({ "code": code(&secret, 0) });
    let confirmed = me.post("/api/auth/mfa/confirm", &body, 200).await;
    let codes = confirmed.data()["recoveryCodes"].as_array().unwrap().iter();
    let codes: Vec<String> = codes.map(|code| code.as_str().unwrap().into()).collect();
    for otp in [&code(&secret, 1), &codes[0]] {
        let login = json!({ "email": EMAIL, "password": NEW_PASSWORD, "otp": otp });
        client.post("/api/auth/login", &login, 200).await;
    }
    let login = json!({ "email": EMAIL, "password": NEW_PASSWORD, "otp": codes[0] });
    client.post("/api/auth/login", &login, 401).await;
    (secret, codes)
}

/// Exercises every credential once, with logging at its most verbose.
#[tokio::test]
async fn no_secret_is_in_the_log_or_at_rest() {
    if is_remote() {
        return;
    }
    let directory = new_directory();
    let log = directory.join("shop.log");
    let data = directory.join("data");
    fs::create_dir_all(&data).unwrap();
    let file = fs::File::create(&log).unwrap();
    let mut process = start_with_log(&data, EVERYTHING, Stdio::from(file)).await;
    let client = client_at(&process.url);
    let internal = client.as_internal(INTERNAL_KEY);

    let body = json!({ "email": EMAIL, "password": PASSWORD, "name": "Ada" });
    let person = client
        .post("/api/auth/register", &body, 201)
        .await
        .data()
        .clone();
    let me = client.bearer(&person["token"]);
    client.log_in(EMAIL, WRONG_PASSWORD, 401).await;
    let refresh = json!({ "refreshToken": person["refreshToken"] });
    let fresh = client
        .post("/api/auth/refresh", &refresh, 200)
        .await
        .data()
        .clone();
    let product = internal.create_product("5.00", 5).await;
    let order = order_of(&[(&product, 1)], "pm_card_visa");
    let order = me.place_order(&order, 201).await;
    me.settled_order(&order.id()).await;
    let verification = mail(&client, EMAIL, "verify").await.unwrap();
    let verification = token_in(&verification["text"]);
    let body = json!({ "token": verification });
    client.post("/api/auth/verify-email", &body, 200).await;
    client
        .post("/api/auth/forgot-password", &json!({ "email": EMAIL }), 202)
        .await;
    let reset = mail(&client, EMAIL, "reset your").await.unwrap();
    let reset = token_in(&reset["text"]);
    let body = json!({ "token": reset, "password": "password" });
    client.post("/api/auth/reset-password", &body, 422).await;
    let body = json!({ "token": reset, "password": NEW_PASSWORD });
    client.post("/api/auth/reset-password", &body, 200).await;
    me.get("/api/auth/me", 401).await;
    let (secret, recovery_codes) = second_factor(&client).await;
    client
        .as_internal("canary-of-a-wrong-key")
        .get("/api/users", 401)
        .await;

    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let secret_of = |token: String| token.split_once('.').unwrap().1.to_owned();
    let secrets = [
        ("password", PASSWORD.to_owned()),
        ("new password", NEW_PASSWORD.into()),
        ("wrong password", WRONG_PASSWORD.into()),
        ("access token", text(&person["token"])),
        ("refreshed access token", text(&fresh["token"])),
        ("refresh token", secret_of(text(&person["refreshToken"]))),
        (
            "next refresh token",
            secret_of(text(&fresh["refreshToken"])),
        ),
        ("verification token", verification),
        ("reset token", reset),
        ("internal key", INTERNAL_KEY.into()),
        ("wrong key", "canary-of-a-wrong-key".into()),
        ("TOTP secret", secret),
    ];
    let plain = |code: &String| [code.clone(), code.replace('-', "")];
    let recovery_codes = recovery_codes.iter().flat_map(plain);
    let recovery_codes = recovery_codes.map(|code| ("recovery code", code));
    let secrets: Vec<_> = secrets.into_iter().chain(recovery_codes).collect();
    process.child.start_kill().unwrap();
    process.child.wait().await.unwrap();
    let log = fs::read_to_string(&log).unwrap();
    assert!(
        log.lines().count() > 30,
        "the log lacks the requests: {log}"
    );
    for (name, secret) in &secrets {
        assert!(!log.contains(secret.as_str()), "the {name} is in the log");
    }
    assert!(
        !log.contains("canary-of-an-address"),
        "the address is in the log"
    );
    // The tables and the events in them contain only hashes and sealed values.
    // The mailbox and the secrets are files of the local shop alone.
    let mut addresses_are_readable = false;
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut local_only = ["mail", "secrets", "ready"].iter();
        if !path.is_file() || local_only.any(|file| name.contains(file)) {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let bytes = String::from_utf8_lossy(&bytes);
        addresses_are_readable |= bytes.contains(EMAIL);
        for (kind, secret) in &secrets {
            assert!(!bytes.contains(secret.as_str()), "the {kind} is in {name}");
        }
    }
    assert!(addresses_are_readable, "the tables cannot be searched");
    fs::remove_dir_all(&directory).unwrap();
}
