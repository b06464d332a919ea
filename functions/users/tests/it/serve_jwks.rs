//! `GET /.well-known/jwks.json`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::SignedDuration;
use serde_json::json;
use testkit::{Client, Reply, status::*};

use crate::fixture::{AUTH_SECRET, TestUsers};

const SECRET: &str = "AUTH_SECRET";
const NEW: &str = "the next secret of the test's access tokens";

async fn get(client: &Client) -> Reply {
    client.get("/.well-known/jwks.json", OK).await
}

/// The ids of the keys, the one that signs first.
async fn key_ids(client: &Client) -> Vec<String> {
    let reply = get(client).await;
    let keys = reply.body["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_public_keys_are_a_cacheable_jwk_set_without_an_envelope() {
    let mut users = TestUsers::new().await;
    users.table.set_secret(SECRET, NEW, Some(AUTH_SECRET));
    let client = users.client();
    let reply = get(&client).await;
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
        assert_eq!((&key["use"], &key["alg"]), (&json!("sig"), &json!("EdDSA")));
        let x = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
        assert_eq!(x.len(), 32);
    }
}

#[tokio::test]
async fn a_new_key_in_the_secret_is_published_within_a_minute() {
    let mut users = TestUsers::new().await;
    let client = users.client();
    let old = key_ids(&client).await;
    users.table.set_secret(SECRET, NEW, Some(AUTH_SECRET));
    users.advance(SignedDuration::from_secs(59));
    assert_eq!(key_ids(&client).await, old, "it is read once a minute");
    users.advance(SignedDuration::from_secs(1));
    let both = key_ids(&client).await;
    assert_eq!(both.len(), 2);
    assert_eq!(both[1], old[0], "older tokens are still valid");
    // While the secret cannot be read, the keys stay; then it is read again.
    users.table.remove_secret(SECRET);
    users.advance(SignedDuration::from_mins(1));
    assert_eq!(key_ids(&client).await, both);
    users.table.set_secret(SECRET, NEW, None);
    users.advance(SignedDuration::from_mins(1));
    assert_eq!(key_ids(&client).await, both[..1]);
}
