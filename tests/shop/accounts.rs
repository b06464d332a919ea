//! Accounts, sessions, credentials and roles.

use serde_json::{Value, json};
use shop_client::{Client, eventually, new_email, shipping_address};

use crate::support::{PASSWORD, anonymous, internal, mail, mails, register, token_in};

const NEW_PASSWORD: &str = "canary-herons-mend-the-fence";

#[tokio::test]
async fn registering_and_logging_in_give_a_session() {
    let client = anonymous().await;
    let email = new_email();
    let body = json!({
        "email": email.to_uppercase(), "password": PASSWORD, "name": " Ada Byron ", "phone": "+442071838750"
    });
    let registered = client.post("/api/auth/register", &body, 201).await;
    let data = registered.data();
    assert_eq!(data["tokenType"], "Bearer");
    assert_eq!(data["expiresIn"], 600);
    assert!(data["refreshToken"].is_string());
    let user = &data["user"];
    assert_eq!(user["email"], email.as_str());
    assert_eq!(user["name"], "Ada Byron");
    assert_eq!(user["role"], "user");
    assert_eq!(user["status"], "active");
    assert_eq!(user["emailVerified"], false);
    assert!(
        !registered.body.to_string().contains("argon2"),
        "a password hash in a response"
    );
    let id = user["id"].as_str().unwrap();
    assert_eq!(registered.header("location"), format!("/api/users/{id}"));

    let again = client.post("/api/users/register", &body, 409).await;
    assert_eq!(again.body["code"], "email_taken");

    let login = json!({ "email": email, "password": PASSWORD });
    for path in ["/api/auth/login", "/api/users/login"] {
        let session = client.post(path, &login, 200).await;
        let me = client.bearer(&session.data()["token"]);
        for path in ["/api/auth/me", "/api/users/profile"] {
            assert_eq!(me.get(path, 200).await.data()["id"], id);
        }
    }
    let wrong = "not the canary password at all";
    let refused = client.log_in(&email, wrong, 401).await;
    assert_eq!(refused.body["code"], "invalid_credentials");
}

#[tokio::test]
async fn one_verification_mail_arrives_with_a_link() {
    let person = register().await;
    let Some(mail) = mail(&person.client, &person.email, "").await else {
        return;
    };
    for part in ["text", "html"] {
        let body = mail[part].as_str().unwrap();
        assert!(body.contains("token="), "{part}: {mail}");
    }
    let mails = mails(&person.client, &person.email, "").await.unwrap();
    assert_eq!(mails.len(), 1, "{mails:?}");
}

/// The token in a mail, whose text and HTML must have the same link.
async fn token_from_mail(client: &Client, to: &str, phrase: &str) -> Option<String> {
    let mail = mail(client, to, phrase).await?;
    let token = token_in(&mail["text"]);
    assert_eq!(token, token_in(&mail["html"]));
    Some(token)
}

#[tokio::test]
async fn the_link_in_the_verification_mail_verifies_the_address() {
    let person = register().await;
    let client = anonymous().await;
    let Some(token) = token_from_mail(&client, &person.email, "verify").await else {
        return;
    };
    let body = json!({ "token": token });
    person
        .client
        .post("/api/auth/verify-email", &body, 200)
        .await;
    let me = person.client.get("/api/auth/me", 200).await;
    assert_eq!(me.data()["emailVerified"], true);
    let again = client.post("/api/auth/verify-email", &body, 422).await;
    assert_eq!(again.body["code"], "invalid_token");
}

/// Somebody registers the address of another person, who later gets the account.
#[tokio::test]
async fn what_was_set_up_before_the_mailbox_was_proven_does_not_outlive_the_proof() {
    let attacker = register().await;
    let client = anonymous().await;
    let refused = attacker
        .client
        .post("/api/auth/mfa/enroll", &json!({}), 403)
        .await;
    assert_eq!(refused.body["code"], "email_unverified");
    let theirs = new_email();
    let body = json!({ "email": theirs, "currentPassword": PASSWORD });
    attacker.client.put("/api/users/profile", &body, 200).await;
    let Some(email_change) = token_from_mail(&client, &theirs, "verify").await else {
        return;
    };
    // The owner of the mailbox follows the link, not being signed in.
    let token = token_from_mail(&client, &attacker.email, "verify").await;
    let body = json!({ "token": token.unwrap() });
    let verified = client.post("/api/auth/verify-email", &body, 200).await;
    assert_eq!(verified.data()["sessionsEnded"], "all");
    let ended = attacker.client.get("/api/auth/me", 401).await;
    assert_eq!(ended.body["code"], "session_ended");
    let body = json!({ "token": email_change });
    client.post("/api/auth/verify-email", &body, 422).await;
    // The attacker still has the password, and gains nothing by it.
    let again = client.log_in(&attacker.email, PASSWORD, 200).await;
    let again = client.bearer(&again.data()["token"]);
    again.post("/api/auth/mfa/enroll", &json!({}), 403).await;
    let body = json!({ "email": attacker.email });
    client.post("/api/auth/forgot-password", &body, 202).await;
    let token = token_from_mail(&client, &attacker.email, "reset your").await;
    let body = json!({ "token": token.unwrap(), "password": NEW_PASSWORD });
    client.post("/api/auth/reset-password", &body, 200).await;
    again.get("/api/auth/me", 401).await;
    client.log_in(&attacker.email, NEW_PASSWORD, 200).await;
}

#[tokio::test]
async fn a_forgotten_password_is_reset_through_a_mail() {
    let person = register().await;
    let client = anonymous().await;
    for email in [new_email(), person.email.clone()] {
        let body = json!({ "email": email });
        client.post("/api/auth/forgot-password", &body, 202).await;
    }
    let Some(token) = token_from_mail(&client, &person.email, "reset your").await else {
        return;
    };
    let body = json!({ "token": token, "password": NEW_PASSWORD });
    client.post("/api/auth/reset-password", &body, 200).await;
    person.client.get("/api/auth/me", 401).await;
    client.log_in(&person.email, NEW_PASSWORD, 200).await;
    let notice = mail(&client, &person.email, "was changed").await.unwrap();
    let text = notice["text"].as_str().unwrap();
    assert!(text.contains("If this wasn't you"), "{text}");
    assert!(!text.contains("token="), "{text}");
}

#[tokio::test]
async fn a_new_email_address_takes_effect_once_it_is_verified() {
    let person = register().await;
    let client = anonymous().await;
    let email = new_email();
    let body = json!({ "email": email, "currentPassword": PASSWORD, "name": "Ada King" });
    let profile = person.client.put("/api/users/profile", &body, 200).await;
    assert_eq!(profile.data()["email"], person.email.as_str());
    let Some(token) = token_from_mail(&client, &email, "verify").await else {
        return;
    };
    let body = json!({ "token": token });
    person
        .client
        .post("/api/auth/verify-email", &body, 200)
        .await;
    let me = person.client.get("/api/users/profile", 200).await;
    assert_eq!(
        (&me.data()["email"], &me.data()["name"]),
        (&json!(email), &json!("Ada King"))
    );
}

#[tokio::test]
async fn users_manage_their_sessions_addresses_and_password() {
    let person = register().await;
    let client = anonymous().await;
    let phone = client.log_in(&person.email, PASSWORD, 200).await;
    let phone = client.bearer(&phone.data()["token"]);
    let sessions = person.client.get("/api/users/sessions", 200).await;
    let mut sessions = sessions.items().iter();
    let other = sessions.find(|one| one["current"] == false).unwrap();
    let path = format!("/api/users/sessions/{}", other["id"].as_str().unwrap());
    register().await.client.delete(&path, 404).await;
    person.client.delete(&path, 200).await;
    phone.get("/api/auth/me", 401).await;

    let address = shipping_address();
    let added = person
        .client
        .post("/api/users/addresses", &address, 201)
        .await;
    let path = added.header("location").to_owned();
    assert_eq!(added.data()["isDefault"], true);
    person.client.put(&path, &address, 200).await;
    person.client.delete(&path, 200).await;
    let left = person.client.get("/api/users/addresses", 200).await;
    assert_eq!(*left.data(), json!([]));

    let body = json!({ "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD });
    person.client.put("/api/users/password", &body, 200).await;
    person.client.get("/api/auth/me", 200).await;
    client.log_in(&person.email, PASSWORD, 401).await;
    let token = json!({ "token": person.tokens["token"] });
    let verified = client.post("/api/auth/verify", &token, 200).await;
    assert_eq!(verified.data()["userId"], person.id.as_str());
}

#[tokio::test]
async fn an_admin_finds_reads_and_deactivates_an_account() {
    let internal = internal().await;
    let (admin, person) = (register().await, register().await);
    let path = format!("/api/users/{}", admin.id);
    internal
        .patch(&path, &json!({ "role": "admin" }), 200)
        .await;
    let path = format!("/api/users?email={}", person.email);
    let found = eventually("the account is listed", || async {
        let found = admin.client.get(&path, 200).await.data().clone();
        (found.as_array().unwrap().len() == 1).then_some(found)
    })
    .await;
    assert_eq!(found[0]["id"], person.id.as_str());
    let body = json!({ "email": person.email });
    person
        .client
        .post("/api/auth/resend-verification", &body, 202)
        .await;
    let path = format!("/api/users/{}", person.id);
    assert_eq!(
        admin.client.get(&path, 200).await.data()["email"],
        person.email.as_str()
    );
    admin.client.delete(&path, 200).await;
    assert_eq!(
        admin.client.get(&path, 200).await.data()["status"],
        "inactive"
    );
    person.client.get("/api/auth/me", 401).await;
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_reuse_ends_the_session() {
    let person = register().await;
    let client = anonymous().await;
    let first = json!({ "refreshToken": person.tokens["refreshToken"] });
    let second = client.post("/api/auth/refresh", &first, 200).await;
    let me = client.bearer(&second.data()["token"]);
    me.get("/api/auth/me", 200).await;

    assert_eq!(
        client.post("/api/auth/refresh", &first, 401).await.body["code"],
        "invalid_refresh_token"
    );
    me.get("/api/auth/me", 401).await;
    let second = json!({ "refreshToken": second.data()["refreshToken"] });
    client.post("/api/auth/refresh", &second, 401).await;
}

#[tokio::test]
async fn logging_out_revokes_the_tokens_immediately() {
    let person = register().await;
    let refresh = json!({ "refreshToken": person.tokens["refreshToken"] });
    person.client.get("/api/auth/me", 200).await;
    person.client.post("/api/auth/logout", &refresh, 200).await;
    let refused = person.client.get("/api/auth/me", 401).await;
    assert_eq!(refused.body["code"], "session_ended");
    anonymous()
        .await
        .post("/api/auth/refresh", &refresh, 401)
        .await;
}

#[tokio::test]
async fn a_new_role_or_status_takes_effect_immediately() {
    let person = register().await;
    let internal = internal().await;
    let category = json!({ "name": format!("Shelf {}", person.id) });
    assert_eq!(
        person
            .client
            .post("/api/categories", &category, 403)
            .await
            .body["code"],
        "forbidden"
    );
    let path = format!("/api/users/{}", person.id);
    person
        .client
        .patch(&path, &json!({ "role": "admin" }), 403)
        .await;
    let promoted = internal
        .patch(&path, &json!({ "role": "admin" }), 200)
        .await;
    assert_eq!(promoted.data()["role"], "admin");
    person.client.post("/api/categories", &category, 201).await;

    internal
        .patch(&path, &json!({ "status": "suspended" }), 200)
        .await;
    person.client.get("/api/auth/me", 401).await;
    let client = anonymous().await;
    client.log_in(&person.email, PASSWORD, 401).await;
    internal
        .patch(
            "/api/users/01936d2e-7c1a-7b3e-9a51-0f6f5d1c2a01",
            &json!({ "role": "user" }),
            404,
        )
        .await;
}

#[tokio::test]
async fn forged_and_malformed_tokens_are_rejected() {
    let person = register().await;
    let client = anonymous().await;
    let token = person.tokens["token"].as_str().unwrap();
    let mut forged = token.to_owned();
    let last = if forged.pop() == Some('A') { 'B' } else { 'A' };
    forged.push(last);
    let parts: Vec<&str> = token.split('.').collect();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
    for bad in [
        forged.as_str(),
        &unsigned,
        "nonsense",
        "",
        "a.b.c",
        &token[..token.len() / 2],
    ] {
        let refused = client
            .bearer(&Value::from(bad))
            .get("/api/auth/me", 401)
            .await;
        assert_eq!(refused.body["status"], 401, "{bad}");
        assert_eq!(refused.header("www-authenticate"), "Bearer");
    }
    client.get("/api/auth/me", 401).await;
    client
        .as_internal("wrong")
        .post("/api/categories", &json!({"name": "x"}), 401)
        .await;
}

#[tokio::test]
async fn the_public_signing_keys_are_published() {
    let keys = anonymous().await.get("/.well-known/jwks.json", 200).await;
    let key = &keys.body["keys"][0];
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"]),
        (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"))
    );
    assert!(key.get("d").is_none(), "the private key is published");
}
