//! A second factor, from the offer to its end, as a person meets it.

use kernel::Clock;
use local::Shop;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::support::{
    Client, PASSWORD, elsewhere, eventually, internal_key, mails, register, register_at,
};

const LOGIN: &str = "/api/auth/login";
const ENROLL: &str = "/api/auth/mfa/enroll";
const CONFIRM: &str = "/api/auth/mfa/confirm";
const DISABLE: &str = "/api/auth/mfa/disable";

/// What an app shows so many steps from now. That of the next step is good
/// already, and for half a minute at least: so a slow machine does no harm.
pub(crate) fn code(secret: &str, steps: i64) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    let app = Builder::new().with_secret(secret).build().unwrap();
    let at = Clock::System.now().as_second() + 30 * steps;
    app.generate(u64::try_from(at).unwrap()).to_string()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Turns a second factor on; gives the app's secret and the recovery codes.
async fn turn_on(person: &Client) -> (String, Vec<String>) {
    let offer = person.post(ENROLL, &json!({}), 200).await;
    let secret = text(&offer.data()["secret"]);
    let shown = json!({ "code": code(&secret, 0) });
    let confirmed = person.post(CONFIRM, &shown, 200).await;
    let codes = confirmed.data()["recoveryCodes"].as_array().unwrap();
    (secret, codes.iter().map(text).collect())
}

/// Waits for the mail whose subject has these words; nothing where there is
/// no mailbox.
async fn told(client: &Client, to: &str, words: &str) {
    if mails(client, to, "").await.is_none() {
        return;
    }
    let mail = eventually(words, || async {
        mails(client, to, words).await.unwrap().pop()
    })
    .await;
    assert!(text(&mail["text"]).contains("If it was not you"), "{mail}");
    assert!(text(&mail["html"]).contains("If it was not you"), "{mail}");
}

#[tokio::test]
async fn a_second_factor_is_turned_on_used_once_and_turned_off() {
    let person = register().await;
    let (me, anybody) = (&person.client, Client::anonymous().await);
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
    let (secret, recovery) = turn_on(me).await;
    let profile = me.get("/api/auth/me", 200).await;
    assert_eq!(profile.data()["mfaEnabled"], true);
    told(&anybody, &person.email, "is on").await;

    let login = async |otp: Option<&str>, expected: u16| {
        let body = json!({ "email": person.email, "password": PASSWORD, "otp": otp });
        anybody.post(LOGIN, &body, expected).await
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
    told(&anybody, &person.email, "is off").await;
}

#[tokio::test]
async fn whoever_lost_the_device_is_let_in_by_those_who_run_the_shop() {
    let person = register().await;
    let anybody = Client::anonymous().await;
    turn_on(&person.client).await;
    let login = json!({ "email": person.email, "password": PASSWORD });
    anybody.post(LOGIN, &login, 401).await;
    let path = format!("/api/users/{}/mfa", person.id);
    let internal = Client::internal().await;
    let delete = reqwest::Method::DELETE;
    internal.send(delete, &path, None, 200).await;
    // The device may be in other hands: what is signed in there is not any more.
    person.client.get("/api/auth/me", 401).await;
    anybody.post(LOGIN, &login, 200).await;
    told(&anybody, &person.email, "is off").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_required_an_admin_has_no_rights_without_it() {
    if elsewhere() {
        return;
    }
    let mut options = crate::process::options();
    options.environment = options.environment.with("ADMIN_MFA", "required");
    let shop = Shop::start(options).await.expect("the shop starts");
    let client = Client::at(shop.url());
    let internal = client.with("x-internal-key", internal_key());
    let person = register_at(&client).await;
    let role = json!({ "role": "admin" });
    let path = format!("/api/users/{}", person.id);
    internal.patch(&path, &role, 200).await;

    let name = json!({ "name": "Lamps" });
    let refused = person.client.post("/api/categories", &name, 403).await;
    assert_eq!(refused.body["code"], "mfa_required");
    assert!(text(&refused.body["detail"]).contains("/api/auth/mfa/enroll"));
    // What is one's own goes on, and turning it on gives the rights at once.
    let profile = person.client.get("/api/auth/me", 200).await;
    assert_eq!(profile.data()["role"], "admin");
    let (secret, _) = turn_on(&person.client).await;
    person.client.post("/api/categories", &name, 201).await;

    let login = json!({ "email": person.email, "password": PASSWORD, "otp": code(&secret, 1) });
    let session = client.post(LOGIN, &login, 200).await;
    let me = client.bearer(&session.data()["token"]);
    me.get("/api/users", 200).await;
    shop.stop().await;
}
