use std::sync::{Arc, Mutex};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use runtime::SecretVersions;
use testkit::{Client, Clock, Reply, TestTable, status::*};
use users::{
    api::serve_jwks,
    app::PublicKeys,
    store::SCHEMA,
    tokens::{AccessTokens, KeyRing},
};

use crate::shop::versions;

const ONE: &str = "the secret of the test's access tokens";
const TWO: &str = "the secret of the test's tokens after it";

/// A client of the function, with a clock and a secret that the test changes;
/// no secret is one that cannot be read.
async fn open(secret: &SecretVersions) -> (Client, Clock, Arc<Mutex<Option<SecretVersions>>>) {
    let table = TestTable::create(&SCHEMA).await;
    let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
    let held = Arc::new(Mutex::new(Some(secret.clone())));
    let tokens = AccessTokens::new("emporium", secret).unwrap();
    let read = held.clone();
    let ring = KeyRing::from(tokens).rereading(Box::new(move || {
        let secret = read.lock().unwrap().clone();
        Box::pin(async move {
            let secret = secret.ok_or("it cannot be read")?;
            Ok(AccessTokens::new("emporium", &secret)?)
        })
    }));
    let keys = Arc::new(PublicKeys::new(clock.clone(), ring));
    let function = serve_jwks::endpoint().start(move |_| {
        let keys = keys.clone();
        async move { Ok(keys) }
    });
    (Client::new(table.start(&function).await), clock, held)
}

async fn get(client: &Client) -> Reply {
    client.get("/.well-known/jwks.json", OK).await
}

/// The ids of the keys, the one that signs first.
async fn ids(client: &Client) -> Vec<String> {
    let reply = get(client).await;
    let keys = reply.body["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn anybody_gets_the_public_keys_bare_and_may_keep_them() {
    let (client, ..) = open(&versions(TWO, Some(ONE))).await;
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
        assert_eq!(
            (&key["use"], &key["alg"]),
            (&serde_json::json!("sig"), &serde_json::json!("EdDSA"))
        );
        let x = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
        assert_eq!(x.len(), 32);
    }
}

#[tokio::test]
async fn a_key_that_is_new_in_the_secret_is_published_a_minute_later_at_most() {
    let (client, clock, secret) = open(&versions(ONE, None)).await;
    let one = ids(&client).await;
    *secret.lock().unwrap() = Some(versions(TWO, Some(ONE)));
    clock.advance(SignedDuration::from_secs(59));
    assert_eq!(ids(&client).await, one, "it is not read all the time");
    clock.advance(SignedDuration::from_secs(1));
    let both = ids(&client).await;
    assert_eq!(both.len(), 2);
    assert_eq!(both[1], one[0], "tokens of before are still good");
    // What cannot be read takes nothing away, and is tried again.
    *secret.lock().unwrap() = None;
    clock.advance(SignedDuration::from_mins(1));
    assert_eq!(ids(&client).await, both);
    *secret.lock().unwrap() = Some(versions(TWO, None));
    clock.advance(SignedDuration::from_mins(1));
    assert_eq!(ids(&client).await, both[..1]);
}
