//! Publishes the keys that verify access tokens.

use std::sync::Arc;

use http::header;
use runtime::{
    Environment, Error, Function, Grant, Host, grant,
    http::{Access, Endpoint, IntoResponse, State},
};

use crate::credentials::{Credentials, tokens::KeyRing};

const GRANTS: &[Grant] = &[grant("secretsmanager:GetSecretValue", "AuthSecret")];
/// Five minutes: long enough to save most requests, and short compared with the time
/// for which the previous version of the secret stays valid.
const CACHE_CONTROL: &str = "public, max-age=300";

pub fn function() -> Function {
    Endpoint::new("serve-jwks", Access::Public, GRANTS)
        .get("/.well-known/jwks.json", serve_jwks)
        .start(PublicKeys::start)
}

/// The keys without the table, which this function has no access to.
struct PublicKeys {
    keys: KeyRing,
    host: Host,
}

impl PublicKeys {
    async fn start(environment: Environment) -> Result<Self, Error> {
        let host = environment.host().clone();
        let keys = KeyRing::read(&environment).await?.loaded_at(host.now());
        Ok(Self { keys, host })
    }
}

/// The public keys as a JWK set (RFC 7517), without our envelope, because its readers
/// expect that format. It shows a new key at most a minute after a rotation.
async fn serve_jwks(State(app): State<Arc<PublicKeys>>) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "application/jwk-set+json"),
        (header::CACHE_CONTROL, CACHE_CONTROL),
    ];
    let key_set = app.keys.key_set(app.host.now()).await;
    (headers, key_set.to_string())
}
