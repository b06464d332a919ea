//! What people type and what proves who they are is in no log, no event that
//! waits, and nowhere at rest.

use std::{fs, process::Stdio};

use serde_json::json;

use crate::{
    mfa::code,
    process::{EVERYTHING, INTERNAL_KEY, new_folder, start_logging},
    support::{Client, elsewhere, eventually, mails, new_key, new_product, order_of},
};

const PASSWORD: &str = "canary-of-a-password-7f3a";
const NEW_PASSWORD: &str = "canary-of-another-password-9b1c";
const WRONG_PASSWORD: &str = "canary-of-a-wrong-password-2d4e";
const EMAIL: &str = "canary-of-an-address@example.com";

fn token_of(mail: &serde_json::Value) -> String {
    let text = mail["text"].as_str().unwrap();
    let rest = text.split_once("token=").expect("a link").1;
    rest.split_whitespace().next().unwrap().to_owned()
}

/// What somebody with a second factor has who uses all of it once: the secret
/// of the app, and the recovery codes.
async fn second_factor(client: &Client) -> (String, Vec<String>) {
    let login = json!({ "email": EMAIL, "password": NEW_PASSWORD });
    let session = client.post("/api/auth/login", &login, 200).await;
    let me = client.bearer(&session.data()["token"]);
    let enroll = "/api/auth/mfa/enroll";
    let offer = me.post(enroll, &json!({}), 200).await;
    let secret = offer.data()["secret"].as_str().unwrap().to_owned();
    let shown = json!({ "code": code(&secret, 0) });
    let confirmed = me.post("/api/auth/mfa/confirm", &shown, 200).await;
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

/// Everything that a person and a machine do once, with everything in the log.
#[tokio::test]
async fn no_secret_is_in_a_log_or_at_rest() {
    if elsewhere() {
        return;
    }
    let folder = new_folder();
    let log = folder.join("shop.log");
    let data = folder.join("data");
    fs::create_dir_all(&data).unwrap();
    let file = fs::File::create(&log).unwrap();
    let mut process = start_logging(&data, EVERYTHING, Stdio::from(file)).await;
    let client = Client::at(&process.url);
    let internal = client.with("x-internal-key", INTERNAL_KEY);

    let body = json!({ "email": EMAIL, "password": PASSWORD, "name": "Ada" });
    let person = client
        .post("/api/auth/register", &body, 201)
        .await
        .data()
        .clone();
    let me = client.bearer(&person["token"]);
    let wrong = json!({ "email": EMAIL, "password": WRONG_PASSWORD });
    client.post("/api/auth/login", &wrong, 401).await;
    let refresh = json!({ "refreshToken": person["refreshToken"] });
    let fresh = client
        .post("/api/auth/refresh", &refresh, 200)
        .await
        .data()
        .clone();
    let product = new_product(&internal, "5.00", 5).await;
    let order = order_of(&[(&product, 1)], "pm_card_visa");
    let order = me
        .with("idempotency-key", &new_key())
        .post("/api/orders", &order, 201)
        .await;
    crate::support::settled(&me, order.data()["id"].as_str().unwrap()).await;
    let verification = eventually("the verification mail", || async {
        mails(&client, EMAIL, "verify").await.unwrap().pop()
    })
    .await;
    let verification = token_of(&verification);
    let body = json!({ "token": verification });
    client.post("/api/auth/verify-email", &body, 200).await;
    client
        .post("/api/auth/forgot-password", &json!({ "email": EMAIL }), 202)
        .await;
    let reset = eventually("the mail of the reset", || async {
        mails(&client, EMAIL, "set a new").await.unwrap().pop()
    })
    .await;
    let reset = token_of(&reset);
    let body = json!({ "token": reset, "password": "password" });
    client.post("/api/auth/reset-password", &body, 422).await;
    let body = json!({ "token": reset, "password": NEW_PASSWORD });
    client.post("/api/auth/reset-password", &body, 200).await;
    me.get("/api/auth/me", 401).await;
    let (secret, recovery_codes) = second_factor(&client).await;
    client
        .with("x-internal-key", "canary-of-a-wrong-key")
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
        ("secret of an app", secret),
    ];
    let plain = |code: &String| [code.clone(), code.replace('-', "")];
    let recovery_codes = recovery_codes.iter().flat_map(plain);
    let recovery_codes = recovery_codes.map(|code| ("recovery code", code));
    let secrets: Vec<_> = secrets.into_iter().chain(recovery_codes).collect();
    process.child.start_kill().unwrap();
    process.child.wait().await.unwrap();
    let log = fs::read_to_string(&log).unwrap();
    assert!(log.lines().count() > 30, "the log has the requests: {log}");
    for (name, secret) in &secrets {
        assert!(!log.contains(secret.as_str()), "the {name} is in the log");
    }
    assert!(
        !log.contains("canary-of-an-address"),
        "the address is in the log"
    );
    // At rest: the tables (and the events in them) have hashes and sealed texts
    // only. The mailbox has the mails, and the laptop's secrets are a file.
    let mut read_addresses = false;
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut laptops_own = ["mail", "secrets", "ready"].iter();
        if !path.is_file() || laptops_own.any(|own| name.contains(own)) {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let bytes = String::from_utf8_lossy(&bytes);
        read_addresses |= bytes.contains(EMAIL);
        for (kind, secret) in &secrets {
            assert!(!bytes.contains(secret.as_str()), "the {kind} is in {name}");
        }
    }
    assert!(read_addresses, "what is at rest can be read here");
    fs::remove_dir_all(&folder).unwrap();
}
