//! Registering, logging in and out, and who may do what.

use serde_json::{Value, json};

use crate::support::{Client, PASSWORD, eventually, mails, new_email, register};

#[tokio::test]
async fn a_person_registers_logs_in_and_is_known() {
    let client = Client::anonymous().await;
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
        "a hash in a reply"
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
    let wrong = json!({ "email": email, "password": "not the canary password at all" });
    assert_eq!(
        client.post("/api/auth/login", &wrong, 401).await.body["code"],
        "invalid_credentials"
    );
}

#[tokio::test]
async fn the_verification_mail_arrives_once_with_a_link() {
    let person = register().await;
    let Some(_) = mails(&person.client, &person.email, "").await else {
        return;
    };
    let mail = eventually("the verification mail", || async {
        mails(&person.client, &person.email, "")
            .await
            .unwrap()
            .pop()
    })
    .await;
    for part in ["text", "html"] {
        assert!(
            mail[part].as_str().unwrap().contains("token="),
            "{part}: {mail}"
        );
    }
    assert_eq!(
        mails(&person.client, &person.email, "")
            .await
            .unwrap()
            .len(),
        1
    );
}

/// The token in the newest mail to an address whose subject has a word in it,
/// from its link in text and HTML alike; `None` where there is no mailbox.
async fn token_from_mail(client: &Client, to: &str, word: &str) -> Option<String> {
    mails(client, to, word).await?;
    let mail = eventually("the mail", || async {
        let mut mails = mails(client, to, word).await.unwrap();
        (!mails.is_empty()).then(|| mails.remove(0))
    })
    .await;
    let token = |part: &str| {
        let text = mail[part].as_str().unwrap();
        let (_, rest) = text.split_once("token=").expect("a link");
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c));
        rest[..end.unwrap_or(rest.len())].to_owned()
    };
    assert_eq!(token("text"), token("html"));
    Some(token("text"))
}

#[tokio::test]
async fn the_link_of_the_verification_mail_verifies() {
    let person = register().await;
    let client = Client::anonymous().await;
    let Some(token) = token_from_mail(&client, &person.email, "verify").await else {
        return;
    };
    let body = json!({ "token": token });
    client.post("/api/auth/verify-email", &body, 200).await;
    let me = person.client.get("/api/auth/me", 200).await;
    assert_eq!(me.data()["emailVerified"], true);
    let again = client.post("/api/auth/verify-email", &body, 422).await;
    assert_eq!(again.body["code"], "invalid_token");
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_through_the_mail() {
    let person = register().await;
    let client = Client::anonymous().await;
    for email in [new_email(), person.email.clone()] {
        let body = json!({ "email": email });
        client.post("/api/auth/forgot-password", &body, 202).await;
    }
    let Some(token) = token_from_mail(&client, &person.email, "set a new").await else {
        return;
    };
    let body = json!({ "token": token, "password": "canary-herons-mend-the-fence" });
    client.post("/api/auth/reset-password", &body, 200).await;
    person.client.get("/api/auth/me", 401).await;
    let login = json!({ "email": person.email, "password": "canary-herons-mend-the-fence" });
    client.post("/api/auth/login", &login, 200).await;
    let told = token_free_mail(&client, &person.email, "was changed").await;
    assert!(told.contains("If it was not you"), "{told}");
}

/// The text of a mail that has no link.
async fn token_free_mail(client: &Client, to: &str, word: &str) -> String {
    let mail = eventually("the mail", || async {
        mails(client, to, word).await.unwrap().pop()
    })
    .await;
    let text = mail["text"].as_str().unwrap().to_owned();
    assert!(!text.contains("token="), "{text}");
    text
}

#[tokio::test]
async fn a_new_address_counts_once_its_mail_was_answered() {
    let person = register().await;
    let client = Client::anonymous().await;
    let email = new_email();
    let body = json!({ "email": email, "currentPassword": PASSWORD, "name": "Ada King" });
    let profile = person.client.put("/api/users/profile", &body, 200).await;
    assert_eq!(profile.data()["email"], person.email.as_str());
    let Some(token) = token_from_mail(&client, &email, "verify").await else {
        return;
    };
    let body = json!({ "token": token });
    client.post("/api/auth/verify-email", &body, 200).await;
    let me = person.client.get("/api/users/profile", 200).await;
    assert_eq!(
        (&me.data()["email"], &me.data()["name"]),
        (&json!(email), &json!("Ada King"))
    );
}

#[tokio::test]
async fn sessions_addresses_and_passwords_are_managed_by_their_owner() {
    let person = register().await;
    let client = Client::anonymous().await;
    let login = json!({ "email": person.email, "password": PASSWORD });
    let phone = client.post("/api/auth/login", &login, 200).await;
    let phone = client.bearer(&phone.data()["token"]);
    let sessions = person.client.get("/api/users/sessions", 200).await;
    let other = sessions
        .data()
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["current"] == false);
    let id = other.unwrap()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/users/sessions/{id}");
    register()
        .await
        .client
        .send(reqwest::Method::DELETE, &path, None, 404)
        .await;
    person
        .client
        .send(reqwest::Method::DELETE, &path, None, 200)
        .await;
    phone.get("/api/auth/me", 401).await;

    let address = json!({
        "name": "Ada", "line1": "1 Lamp Street", "city": "Springfield", "postalCode": "97477",
        "country": "US"
    });
    let added = person
        .client
        .post("/api/users/addresses", &address, 201)
        .await;
    let path = added.header("location").to_owned();
    assert_eq!(added.data()["isDefault"], true);
    person.client.put(&path, &address, 200).await;
    person
        .client
        .send(reqwest::Method::DELETE, &path, None, 200)
        .await;
    let left = person.client.get("/api/users/addresses", 200).await;
    assert_eq!(*left.data(), json!([]));

    let body =
        json!({ "currentPassword": PASSWORD, "newPassword": "canary-herons-mend-the-fence" });
    person.client.put("/api/users/password", &body, 200).await;
    person.client.get("/api/auth/me", 200).await;
    client.post("/api/auth/login", &login, 401).await;
    let token = json!({ "token": person.tokens["token"] });
    let good = client.post("/api/auth/verify", &token, 200).await;
    assert_eq!(good.data()["userId"], person.id.as_str());
}

#[tokio::test]
async fn an_admin_finds_sees_and_closes_an_account() {
    let internal = Client::internal().await;
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
    admin
        .client
        .send(reqwest::Method::DELETE, &path, None, 200)
        .await;
    assert_eq!(
        admin.client.get(&path, 200).await.data()["status"],
        "inactive"
    );
    person.client.get("/api/auth/me", 401).await;
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_reuse_ends_the_session() {
    let person = register().await;
    let client = Client::anonymous().await;
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
async fn after_logging_out_the_token_is_worth_nothing_at_once() {
    let person = register().await;
    let refresh = json!({ "refreshToken": person.tokens["refreshToken"] });
    person.client.get("/api/auth/me", 200).await;
    person.client.post("/api/auth/logout", &refresh, 200).await;
    let refused = person.client.get("/api/auth/me", 401).await;
    assert_eq!(refused.body["code"], "session_ended");
    Client::anonymous()
        .await
        .post("/api/auth/refresh", &refresh, 401)
        .await;
}

#[tokio::test]
async fn a_role_takes_effect_at_once() {
    let person = register().await;
    let internal = Client::internal().await;
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
    let login = json!({ "email": person.email, "password": PASSWORD });
    Client::anonymous()
        .await
        .post("/api/auth/login", &login, 401)
        .await;
    internal
        .patch(
            "/api/users/01936d2e-7c1a-7b3e-9a51-0f6f5d1c2a01",
            &json!({ "role": "user" }),
            404,
        )
        .await;
}

#[tokio::test]
async fn only_real_tokens_let_anybody_in() {
    let person = register().await;
    let client = Client::anonymous().await;
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
        .with("x-internal-key", "wrong")
        .post("/api/categories", &json!({"name": "x"}), 401)
        .await;
}

#[tokio::test]
async fn the_keys_of_the_tokens_are_published() {
    let keys = Client::anonymous()
        .await
        .get("/.well-known/jwks.json", 200)
        .await;
    let key = &keys.body["keys"][0];
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"]),
        (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"))
    );
    assert!(key.get("d").is_none(), "a private key is published");
}
