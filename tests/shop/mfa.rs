//! A second factor, from enrolling to disabling it.

use local::Shop;
use serde_json::{Value, json};
use shop_client::Client;
use totp_rs::{Builder, Secret};

use crate::support::{
    PASSWORD, anonymous, client_at, internal, internal_key, is_remote, mail, register, register_at,
    verify,
};

const LOGIN: &str = "/api/auth/login";
const ENROLL: &str = "/api/auth/mfa/enroll";
const CONFIRM: &str = "/api/auth/mfa/confirm";
const DISABLE: &str = "/api/auth/mfa/disable";

/// The code that an authenticator shows a number of steps from now. The next
/// one is already valid, and stays so for at least half a minute, which makes
/// the tests independent of the speed of the machine.
pub(crate) fn code(secret: &str, steps: i64) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    let app = Builder::new().with_secret(secret).build().unwrap();
    let at = testkit::system_time().as_second() + 30 * steps;
    app.generate(u64::try_from(at).unwrap()).to_string()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Enables a second factor; returns its secret and the recovery codes.
async fn enable(person: &Client) -> (String, Vec<String>) {
    let offer = person.post(ENROLL, &json!({}), 200).await;
    let secret = text(&offer.data()["secret"]);
    let body = json!({ "code": code(&secret, 0) });
    let confirmed = person.post(CONFIRM, &body, 200).await;
    let codes = confirmed.data()["recoveryCodes"].as_array().unwrap();
    (secret, codes.iter().map(text).collect())
}

/// Waits for the security notice whose subject contains a phrase.
async fn expect_notice(client: &Client, to: &str, phrase: &str) {
    let Some(mail) = mail(client, to, phrase).await else {
        return;
    };
    for part in ["text", "html"] {
        let body = text(&mail[part]);
        assert!(body.contains("If this wasn't you"), "{mail}");
    }
}

#[tokio::test]
async fn a_second_factor_can_be_enabled_used_and_disabled() {
    let person = register().await;
    if verify(&person).await.is_none() {
        return;
    }
    let (me, client) = (&person.client, anonymous().await);
    let guess = json!({ "currentPassword": "not the canary password" });
    let refused = me.post(ENROLL, &guess, 422).await;
    assert_eq!(refused.fields(), ["/currentPassword"]);
    let offer = me.post(ENROLL, &json!({}), 200).await;
    let uri = text(&offer.data()["otpauthUri"]);
    let secret = text(&offer.data()["secret"]);
    assert!(uri.starts_with("otpauth://totp/"), "{uri}");
    assert!(uri.contains(&format!("secret={secret}&")), "{uri}");
    assert!(text(&offer.data()["qrSvg"]).contains("<svg "));
    let wrong = me
        .post(CONFIRM, &json!({ "code": code(&secret, 9) }), 422)
        .await;
    assert_eq!(wrong.fields(), ["/code"]);
    let (secret, recovery) = enable(me).await;
    let profile = me.get("/api/auth/me", 200).await;
    assert_eq!(profile.data()["mfaEnabled"], true);
    expect_notice(&client, &person.email, "is on").await;

    let login = async |otp: Option<&str>, expected: u16| {
        let body = json!({ "email": person.email, "password": PASSWORD, "otp": otp });
        client.post(LOGIN, &body, expected).await
    };
    let alone = login(None, 401).await;
    assert_eq!(alone.body["code"], "mfa_required");
    let next = code(&secret, 1);
    login(Some(&next), 200).await;
    for used in [&*next, &recovery[0]] {
        if used == recovery[0] {
            login(Some(used), 200).await;
        }
        let refused = login(Some(used), 401).await;
        assert_eq!(refused.body["code"], "invalid_otp");
    }

    let used = json!({ "code": recovery[0] });
    let refused = me.post(DISABLE, &used, 422).await;
    assert_eq!(refused.fields(), ["/code"]);
    me.post(DISABLE, &json!({ "code": recovery[1] }), 200).await;
    login(None, 200).await;
    let profile = me.get("/api/auth/me", 200).await;
    assert_eq!(profile.data()["mfaEnabled"], false);
    expect_notice(&client, &person.email, "is off").await;
}

#[tokio::test]
async fn an_operator_can_remove_a_lost_second_factor() {
    let person = register().await;
    let client = anonymous().await;
    if verify(&person).await.is_none() {
        return;
    }
    enable(&person.client).await;
    client.log_in(&person.email, PASSWORD, 401).await;
    let path = format!("/api/users/{}/mfa", person.id);
    internal().await.delete(&path, 200).await;
    // The device may be in someone else's hands, so its sessions end as well.
    person.client.get("/api/auth/me", 401).await;
    client.log_in(&person.email, PASSWORD, 200).await;
    expect_notice(&client, &person.email, "is off").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_required_admins_have_no_rights_without_it() {
    if is_remote() {
        return;
    }
    let mut options = crate::process::options();
    options.environment = options.environment.with("ADMIN_MFA", "required");
    let shop = Shop::start(options).await.expect("the shop starts");
    let client = client_at(shop.url());
    let internal = client.as_internal(internal_key());
    let person = register_at(&client).await;
    let role = json!({ "role": "admin" });
    let path = format!("/api/users/{}", person.id);
    internal.patch(&path, &role, 200).await;

    let name = json!({ "name": "Lamps" });
    let refused = person.client.post("/api/categories", &name, 403).await;
    assert_eq!(refused.body["code"], "mfa_required");
    assert!(text(&refused.body["detail"]).contains("/api/auth/mfa/enroll"));
    // Their own account still works, and a session that begins with the factor has
    // their rights. The one that it was enrolled in may be a thief's.
    let profile = person.client.get("/api/auth/me", 200).await;
    assert_eq!(profile.data()["role"], "admin");
    verify(&person).await.expect("a local mailbox");
    let (secret, _) = enable(&person.client).await;
    let refused = person.client.post("/api/categories", &name, 403).await;
    assert_eq!(refused.body["code"], "mfa_required");

    let login = json!({ "email": person.email, "password": PASSWORD, "otp": code(&secret, 1) });
    let session = client.post(LOGIN, &login, 200).await;
    let me = client.bearer(&session.data()["token"]);
    me.get("/api/users", 200).await;
    me.post("/api/categories", &name, 201).await;
    shop.stop().await;
}
