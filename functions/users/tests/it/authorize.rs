//! The authorizer of the API.

use kernel::{Principal, Role, SessionId, SignedDuration, UserId};
use serde_json::json;
use testkit::new_id;
use users::credentials::tokens::AccessTokens;

use crate::fixture::{
    AUTH_SECRET, INTERNAL_KEY, OLD_INTERNAL_KEY, TestUsers, authorizer_context, versions,
};

#[tokio::test]
async fn an_access_token_identifies_the_user_of_its_session() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let expected = json!({
        "kind": "user", "userId": ada.id, "sessionId": ada.session_id(), "role": "user",
        "unverified": "true"
    });
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let headers = json!({"authorization": format!("{scheme} {}", ada.token)});
        assert_eq!(users.authorizer_context(&headers).await, expected);
    }
}

#[tokio::test]
async fn missing_credentials_have_no_reason_and_invalid_tokens_have_one() {
    let users = TestUsers::new().await;
    let anonymous = json!({"kind": "none"});
    assert_eq!(users.authorizer_context(&json!({})).await, anonymous);
    assert_eq!(
        users
            .authorizer_context(&json!({"authorization": "Basic YWRhOng="}))
            .await,
        anonymous
    );
    for token in ["", "x", "a.b.c", "null", "undefined"] {
        assert_eq!(users.authorize(token).await, "token_invalid", "{token}");
    }
    let ada = users.register("ada@example.com").await;
    let headers = json!({"authorization": format!("Bearer {}, Bearer {}", ada.token, ada.token)});
    assert_eq!(
        users.authorizer_context(&headers).await["reason"],
        "token_invalid"
    );
    users.advance(SignedDuration::from_mins(11));
    assert_eq!(users.authorize(&ada.token).await, "token_expired");
}

#[tokio::test]
async fn credentials_that_did_not_come_through_the_edge_are_not_looked_at() {
    // SHA-256 of "abc" (FIPS 180-2).
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let mut users = TestUsers::with(&[("EDGE_KEY_HASHES", hash)]).await;
    let (calls, _) = users.recorded("authorize").await;
    let authorize = users.new_instances().function("authorize").await;
    calls.take();
    let past = json!({"kind": "none", "reason": "edge_required"});
    let token = AccessTokens::new("emporium", &versions(AUTH_SECRET)).unwrap();
    let principal = Principal {
        user_id: new_id(),
        session_id: new_id(),
        role: Role::User,
        withheld: None,
        unverified: true,
    };
    let token = token.issue(&principal, new_id(), users.clock().now());
    let bearer = format!("Bearer {}", token.unwrap());
    for key in [None, Some("abd")] {
        for (name, value) in [
            ("authorization", &*bearer),
            ("x-internal-key", INTERNAL_KEY),
        ] {
            let headers = json!({ name: value, "x-edge-key": key.unwrap_or_default() });
            assert_eq!(authorizer_context(&authorize, &headers).await, past);
        }
    }
    assert!(calls.take().is_empty());
    let headers = json!({"authorization": bearer, "x-edge-key": "abc"});
    let context = authorizer_context(&authorize, &headers).await;
    assert_eq!(context["reason"], "session_ended");
    assert_eq!(calls.take(), ["BatchGetItem"]);
    let headers = json!({"x-internal-key": INTERNAL_KEY, "x-edge-key": "abc"});
    assert_eq!(
        authorizer_context(&authorize, &headers).await["kind"],
        "internal"
    );
}

#[tokio::test]
async fn a_signed_token_without_a_session_of_its_user_is_rejected() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let bob = users.register("bob@example.com").await;
    let token = |user_id: UserId, session_id: SessionId| {
        let tokens = AccessTokens::new("emporium", &versions(AUTH_SECRET)).unwrap();
        let principal = Principal {
            user_id,
            session_id,
            role: Role::Admin,
            withheld: None,
            unverified: false,
        };
        let now = users.clock().now();
        tokens.issue(&principal, new_id(), now).unwrap()
    };
    for (user, session) in [
        (ada.id, new_id()),
        (bob.id, ada.session_id()),
        (new_id(), ada.session_id()),
    ] {
        let token = token(user, session);
        assert_eq!(users.authorize(&token).await, "session_ended");
    }
    // The role is the account's, not the token's.
    let claims_admin = token(ada.id, ada.session_id());
    let headers = json!({"authorization": format!("Bearer {claims_admin}")});
    assert_eq!(users.authorizer_context(&headers).await["role"], "user");
}

#[tokio::test]
async fn the_current_and_the_previous_internal_key_are_accepted() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    for key in [INTERNAL_KEY, OLD_INTERNAL_KEY] {
        let context = users
            .authorizer_context(&json!({"x-internal-key": key}))
            .await;
        assert_eq!(context, json!({"kind": "internal"}));
    }
    let rejected = json!({"kind": "none", "reason": "internal_key_invalid"});
    for key in [
        "",
        " ",
        "x",
        &INTERNAL_KEY[1..],
        &INTERNAL_KEY.to_uppercase(),
    ] {
        assert_eq!(
            users
                .authorizer_context(&json!({"x-internal-key": key}))
                .await,
            rejected
        );
        // A valid token does not make up for an invalid key.
        let both = json!({"x-internal-key": key, "authorization": format!("Bearer {}", ada.token)});
        assert_eq!(users.authorizer_context(&both).await, rejected);
    }
}

#[tokio::test]
async fn nobody_is_authorized_while_the_table_is_unavailable() {
    let mut users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users.table.set("TABLE", "no-such-table");
    let authorize = users.new_instances().function("authorize").await;
    let headers = json!({"authorization": format!("Bearer {}", ada.token)});
    let context = authorizer_context(&authorize, &headers).await;
    // The shell of the function replies 503 to it.
    let unavailable = json!({"kind": "none", "reason": "unavailable"});
    assert_eq!(context, unavailable);
}
