use jiff::SignedDuration;
use serde_json::{Value, json};
use testkit::{Reply, status::*};

use crate::shop::Shop;

async fn verify(shop: &Shop, token: &str, expected: StatusCode) -> Reply {
    let body = json!({ "token": token });
    shop.verify_token
        .post("/api/auth/verify", &body, expected)
        .await
}

#[tokio::test]
async fn a_good_token_says_whose_it_is_with_the_role_of_now() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    shop.update(ada.id, &json!({"role": "moderator"}), OK).await;
    let reply = verify(&shop, &ada.token, OK).await;
    let expected = json!({
        "valid": true, "userId": ada.id, "sessionId": ada.session_id(), "role": "moderator",
        "expiresAt": "2026-01-01T00:10:00Z"
    });
    assert_eq!(reply.body["data"], expected);
}

#[tokio::test]
async fn a_token_that_is_not_good_says_why() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let refused = async |token: &str| {
        let reply = verify(&shop, token, UNAUTHORIZED).await;
        reply.body["code"].as_str().unwrap().to_owned()
    };
    for token in ["", "x", &ada.refresh, &format!("Bearer {}", ada.token)] {
        assert_eq!(refused(token).await, "token_invalid");
    }
    shop.update(ada.id, &json!({"status": "suspended"}), OK)
        .await;
    assert_eq!(refused(&ada.token).await, "account_inactive");
    shop.update(ada.id, &json!({"status": "active"}), OK).await;
    assert_eq!(refused(&ada.token).await, "session_ended");
    shop.clock.advance(SignedDuration::from_mins(11));
    assert_eq!(refused(&ada.token).await, "token_expired");
    for body in [
        json!({}),
        json!({"token": Value::Null}),
        json!({"token": 7}),
    ] {
        let path = "/api/auth/verify";
        let reply = shop
            .verify_token
            .post(path, &body, UNPROCESSABLE_ENTITY)
            .await;
        assert_eq!(reply.invalid_fields(), ["/token"]);
    }
}
