//! Asking for mails, without learning who has an account.

use std::sync::Arc;

use serde_json::{Value, json};
use testkit::{Client, status::*};
use users::{api, app::Mails};

use crate::{
    calls::counted,
    shop::{MAIL_SECRET, Shop, versions},
};

#[tokio::test]
async fn a_new_verification_mail_brings_a_new_token_and_the_old_stays_good() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let first = shop.mailed_token("user.registered").await.unwrap();
    let body = json!({"email": " ADA@example.com "});
    let path = "/api/auth/resend-verification";
    shop.resend.post(path, &body, ACCEPTED).await;
    let second = shop
        .mailed_token("user.verification_requested")
        .await
        .unwrap();
    assert_ne!(first, second);
    let event = shop.table.events().await.pop().unwrap();
    assert_eq!(event.data["email"], "ada@example.com");
    assert_eq!(event.subject, ada.id.to_string());
    let body = json!({ "token": second });
    shop.verify_email
        .post("/api/auth/verify-email", &body, OK)
        .await;
    // Nothing is sent about an address that is verified, and the first token
    // has nothing left to do but to be used up.
    let events = shop.table.events().await.len();
    shop.resend
        .post(path, &json!({"email": "ada@example.com"}), ACCEPTED)
        .await;
    let body = json!({ "token": first });
    shop.verify_email
        .post("/api/auth/verify-email", &body, OK)
        .await;
    assert_eq!(shop.table.events().await.len(), events);
}

#[tokio::test]
async fn known_and_unknown_addresses_have_the_same_reply_after_the_same_calls() {
    let shop = Shop::open().await;
    shop.register("known@example.com").await;
    let ended = shop.register("suspended@example.com").await;
    shop.update(ended.id, &json!({"status": "suspended"}), OK)
        .await;
    let (calls, table) = counted(&shop);
    let secret = versions(MAIL_SECRET, None);
    let app = Arc::new(Mails::new(table, shop.clock.clone(), secret));
    let (resend, forgot) = (app.clone(), app);
    let resend = api::resend_verification::endpoint().start(move |_| {
        let app = resend.clone();
        async move { Ok(app) }
    });
    let forgot = api::request_password_reset::endpoint().start(move |_| {
        let app = forgot.clone();
        async move { Ok(app) }
    });
    for (function, path) in [
        (resend, "/api/auth/resend-verification"),
        (forgot, "/api/auth/forgot-password"),
    ] {
        let client = Client::new(shop.table.start(&function).await);
        let mut bodies = Vec::new();
        // Buckets of the addresses begin anew with each hour.
        shop.clock.advance(jiff::SignedDuration::from_hours(1));
        let body = json!({"email": "somebody@example.com"});
        client.post(path, &body, ACCEPTED).await;
        calls.take();
        for (email, sent) in [
            ("known@example.com", 1),
            ("unknown@example.com", 0),
            ("suspended@example.com", 0),
            ("not an address", 0),
        ] {
            let before = shop.table.events().await.len();
            let reply = client
                .post(path, &json!({ "email": email }), ACCEPTED)
                .await;
            // The limits of the caller and of the address, the latter anew; then
            // two reads and one write.
            let expected = [
                "UpdateItem",
                "GetItem",
                "GetItem",
                "UpdateItem",
                "PutItem",
                "TransactWriteItems",
            ];
            let made = calls.take();
            assert_eq!(made, expected, "{email}");

            assert_eq!(shop.table.events().await.len() - before, sent, "{email}");
            let mut body = reply.body;
            body["meta"]["requestId"] = Value::Null;
            bodies.push(body);
        }
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
        let reply = client.post(path, &json!({}), UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), ["/email"]);
    }
}

#[tokio::test]
async fn one_address_gets_five_mails_an_hour_and_the_reply_does_not_tell() {
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    let body = json!({"email": "ada@example.com"});
    for asked in 1..=7 {
        let path = "/api/auth/forgot-password";
        shop.forgot.post(path, &body, ACCEPTED).await;
        let sent = shop.table.events().await.len() - 1;
        assert_eq!(sent, asked.min(5), "{asked}");
    }
    shop.clock.advance(jiff::SignedDuration::from_hours(2));
    let path = "/api/auth/forgot-password";
    shop.forgot.post(path, &body, ACCEPTED).await;
    assert_eq!(shop.table.events().await.len() - 1, 6);
}
