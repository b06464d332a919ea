use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use testkit::{Client, TestTable, status::*};
use users::{api::serve_jwks, store::SHAPE, tokens::AccessTokens};

use crate::shop::versions;

#[tokio::test]
async fn anybody_gets_the_public_keys_bare_and_may_keep_them() {
    let table = TestTable::create(&SHAPE).await;
    let secret = versions(
        "the secret of the test's access tokens",
        Some("the secret of the test's tokens before"),
    );
    let tokens = AccessTokens::new("emporium", &secret).unwrap();
    let document = serve_jwks::document(&tokens);
    let function = serve_jwks::endpoint().start(move |_| {
        let document = document.clone();
        async move { Ok(document) }
    });
    let client = Client::new(table.start(&function).await);
    let reply = client.get("/.well-known/jwks.json", OK).await;
    assert_eq!(
        reply.header("content-type"),
        Some("application/jwk-set+json")
    );
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    let members: Vec<_> = reply.body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["keys"]);
    let keys = reply.body["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0]["kid"], keys[1]["kid"]);
    for key in keys {
        assert_eq!(
            (&key["use"], &key["alg"]),
            (&serde_json::json!("sig"), &serde_json::json!("EdDSA"))
        );
        let x = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
        assert_eq!(x.len(), 32);
    }
}
