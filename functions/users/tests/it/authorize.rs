use std::sync::Arc;

use jiff::SignedDuration;
use kernel::{SessionId, UserId};
use kernel::Role;
use serde_json::json;
use testkit::TestTable;
use users::{
    app::Authorizer,
    internal_key::InternalKey,
    store::{SCHEMA, Store},
};

use crate::shop::{INTERNAL_KEY, OLD_INTERNAL_KEY, Shop, ask, tokens, versions};

#[tokio::test]
async fn a_person_is_who_the_session_says() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let expected = json!({
        "kind": "user", "userId": ada.id, "sessionId": ada.session_id(), "role": "user"
    });
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let headers = json!({"authorization": format!("{scheme} {}", ada.token)});
        assert_eq!(shop.context(&headers).await, expected);
    }
}

#[tokio::test]
async fn nobody_is_nobody_without_a_reason_and_bad_tokens_have_one() {
    let shop = Shop::open().await;
    let nobody = json!({"kind": "none"});
    assert_eq!(shop.context(&json!({})).await, nobody);
    assert_eq!(
        shop.context(&json!({"authorization": "Basic YWRhOng="}))
            .await,
        nobody
    );
    for token in ["", "x", "a.b.c", "null", "undefined"] {
        assert_eq!(shop.verdict(token).await, "token_invalid", "{token}");
    }
    let ada = shop.register("ada@example.com").await;
    let headers = json!({"authorization": format!("Bearer {}, Bearer {}", ada.token, ada.token)});
    assert_eq!(shop.context(&headers).await["reason"], "token_invalid");
    shop.clock.advance(SignedDuration::from_mins(11));
    assert_eq!(shop.verdict(&ada.token).await, "token_expired");
}

#[tokio::test]
async fn a_good_signature_without_a_good_session_is_nobody() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let bob = shop.register("bob@example.com").await;
    let token = |user, session| {
        tokens()
            .issue(user, session, Role::Admin, shop.clock.now())
            .unwrap()
    };
    let never = token(ada.id, testkit::new_id::<SessionId>());
    assert_eq!(shop.verdict(&never).await, "session_ended");
    let of_another = token(bob.id, ada.session_id());
    assert_eq!(shop.verdict(&of_another).await, "session_ended");
    let nobody = token(testkit::new_id::<UserId>(), ada.session_id());
    assert_eq!(shop.verdict(&nobody).await, "session_ended");
    // The role is the account's, not the token's.
    let claims_admin = token(ada.id, ada.session_id());
    let headers = json!({"authorization": format!("Bearer {claims_admin}")});
    assert_eq!(shop.context(&headers).await["role"], "user");
}

#[tokio::test]
async fn a_machine_has_the_internal_key_of_now_or_before() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    for key in [INTERNAL_KEY, OLD_INTERNAL_KEY] {
        let context = shop.context(&json!({"x-internal-key": key})).await;
        assert_eq!(context, json!({"kind": "internal"}));
    }
    let refused = json!({"kind": "none", "reason": "internal_key_invalid"});
    for key in [
        "",
        " ",
        "x",
        &INTERNAL_KEY[1..],
        &INTERNAL_KEY.to_uppercase(),
    ] {
        assert_eq!(shop.context(&json!({"x-internal-key": key})).await, refused);
        // A wrong key is not made good by a right token.
        let both = json!({"x-internal-key": key, "authorization": format!("Bearer {}", ada.token)});
        assert_eq!(shop.context(&both).await, refused);
    }
}

#[tokio::test]
async fn without_its_store_it_lets_nobody_in() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let elsewhere = TestTable::create(&SCHEMA).await;
    let missing = dynamo::Table::new(elsewhere.table().client().clone(), "no-such-table");
    let authorizer = users::api::authorize::handler(Arc::new(Authorizer {
        store: Store::new(missing),
        clock: shop.clock.clone(),
        tokens: tokens().into(),
        internal_key: InternalKey::new(&versions(INTERNAL_KEY, None)).unwrap(),
        admin_mfa: users::domain::AdminMfa::Optional,
    }));
    let headers = json!({"authorization": format!("Bearer {}", ada.token)});
    let reply = ask(&authorizer, &headers).await.unwrap();
    // The function's shell makes 503 of it.
    let unavailable = json!({"kind": "none", "reason": "unavailable"});
    assert_eq!(reply["context"], unavailable);
}
