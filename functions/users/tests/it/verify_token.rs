//! `POST /api/auth/verify`.

use kernel::SignedDuration;
use serde_json::{Value, json};
use testkit::{Reply, status::*};

use crate::fixture::TestUsers;

const PATH: &str = "/api/auth/verify";

async fn verify(users: &TestUsers, token: &str, expected: StatusCode) -> Reply {
    let body = json!({ "token": token });
    users.client().post(PATH, &body, expected).await
}

#[tokio::test]
async fn a_valid_token_is_resolved_to_its_user_with_the_current_role() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users
        .update(ada.id, &json!({"role": "moderator"}), OK)
        .await;
    let reply = verify(&users, &ada.token, OK).await;
    let expected = json!({
        "valid": true, "userId": ada.id, "sessionId": ada.session_id(), "role": "moderator",
        "expiresAt": "2026-01-01T00:10:00Z"
    });
    assert_eq!(reply.body["data"], expected);
}

#[tokio::test]
async fn an_invalid_token_is_rejected_with_the_reason() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let rejected = async |token: &str| {
        let reply = verify(&users, token, UNAUTHORIZED).await;
        reply.body["code"].as_str().unwrap().to_owned()
    };
    for token in ["", "x", &ada.refresh, &format!("Bearer {}", ada.token)] {
        assert_eq!(rejected(token).await, "token_invalid");
    }
    users
        .update(ada.id, &json!({"status": "suspended"}), OK)
        .await;
    assert_eq!(rejected(&ada.token).await, "account_inactive");
    users.update(ada.id, &json!({"status": "active"}), OK).await;
    assert_eq!(rejected(&ada.token).await, "session_ended");
    users.advance(SignedDuration::from_mins(11));
    assert_eq!(rejected(&ada.token).await, "token_expired");
    for body in [
        json!({}),
        json!({"token": Value::Null}),
        json!({"token": 7}),
    ] {
        let reply = users.client().post(PATH, &body, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), ["/token"]);
    }
}
