//! Publishes the keys with which anybody can check access tokens.

use std::sync::Arc;

use axum::response::IntoResponse;
use http::header;
use runtime::{
    Function, Grant, grant,
    http::{Access, Endpoint, State},
};

use crate::app::PublicKeys;

const GRANTS: &[Grant] = &[grant("secretsmanager:GetSecretValue", "AuthSecret")];
/// Five minutes: long enough to take the load off, and short beside the time
/// for which a secret's previous version stays good.
const CACHE_CONTROL: &str = "public, max-age=300";

/// The function `serve-jwks`.
pub fn function() -> Function {
    endpoint().start(PublicKeys::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<PublicKeys>> {
    Endpoint::new("serve-jwks", Access::Public, GRANTS).get("/.well-known/jwks.json", serve_jwks)
}

/// The public keys as a JWK set (RFC 7517): without our envelope, since those
/// who read it know that format only. A key that is new in the secret is in it
/// a minute later at most.
pub async fn serve_jwks(State(keys): State<Arc<PublicKeys>>) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "application/jwk-set+json"),
        (header::CACHE_CONTROL, CACHE_CONTROL),
    ];
    let key_set = keys.tokens.key_set(keys.clock.now()).await;
    (headers, key_set.to_string())
}
