//! Requests for emails, which do not reveal who has an account.

use kernel::SignedDuration;
use serde_json::{Value, json};
use testkit::status::*;

use crate::fixture::TestUsers;

const RESEND: &str = "/api/auth/resend-verification";
const FORGOT: &str = "/api/auth/forgot-password";

#[tokio::test]
async fn a_new_verification_email_has_a_new_token_and_the_old_one_stays_valid() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let first = users.mailed_token("user.registered").await;
    let body = json!({"email": " ADA@example.com "});
    users.client().post(RESEND, &body, ACCEPTED).await;
    let second = users.mailed_token("user.verification_requested").await;
    assert_ne!(first, second);
    let event = users.table.events().await.pop().unwrap();
    assert_eq!(event.data["email"], "ada@example.com");
    assert_eq!(event.subject, ada.id.to_string());
    users.verify_email_in_session(&ada, &second).await;
    // Nothing is sent to an address that is verified; the first token is still
    // accepted, and verifies nothing anew.
    let events = users.table.events().await.len();
    users.client().post(RESEND, &body, ACCEPTED).await;
    users.verify_email(&first, OK).await;
    assert_eq!(users.table.events().await.len(), events);
}

#[tokio::test]
async fn known_and_unknown_emails_have_the_same_reply_after_the_same_calls() {
    let mut users = TestUsers::new().await;
    users.register("known@example.com").await;
    let suspended = users.register("suspended@example.com").await;
    users
        .update(suspended.id, &json!({"status": "suspended"}), OK)
        .await;
    for (function, path) in [
        ("resend-verification", RESEND),
        ("request-password-reset", FORGOT),
    ] {
        let (calls, client) = users.recorded(function).await;
        let mut bodies = Vec::new();
        // A new hour has a new item for the limit of each email.
        users.advance(SignedDuration::from_hours(1));
        let body = json!({"email": "somebody@example.com"});
        client.post(path, &body, ACCEPTED).await;
        calls.take();
        for (email, sent) in [
            ("known@example.com", 1),
            ("unknown@example.com", 0),
            ("suspended@example.com", 0),
            ("not an address", 0),
        ] {
            let before = users.table.events().await.len();
            let body = json!({ "email": email });
            let reply = client.post(path, &body, ACCEPTED).await;
            // The limits of the caller and of the email; in between, two reads, and
            // then one write.
            let expected = [
                "UpdateItem",
                "GetItem",
                "GetItem",
                "UpdateItem",
                "TransactWriteItems",
            ];
            assert_eq!(calls.take(), expected, "{email}");

            assert_eq!(users.table.events().await.len() - before, sent, "{email}");
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
async fn an_address_gets_two_resets_in_twenty_minutes_and_the_reply_does_not_reveal_it() {
    let users = TestUsers::new().await;
    users.register("ada@example.com").await;
    let body = json!({"email": "ada@example.com"});
    for window in 0..3 {
        for requested in 1..=7 {
            users.client().post(FORGOT, &body, ACCEPTED).await;
            let sent = users.table.events().await.len() - 1;
            assert_eq!(sent, 2 * window + requested.min(2), "{requested}");
        }
        users.advance(SignedDuration::from_mins(20));
    }
}
