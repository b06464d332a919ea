//! Publishes the keys with which anybody can check access tokens.

use std::sync::Arc;

use axum::response::IntoResponse;
use http::header;
use runtime::{
    Environment, Error, Function, Grant, grant,
    http::{Access, Endpoint, State},
};

use crate::{app::access_tokens, tokens::AccessTokens};

const GRANTS: &[Grant] = &[grant("secretsmanager:GetSecretValue", "AuthSecret")];
/// Five minutes: long enough to take the load off, and short beside the time
/// for which a secret's previous version stays good.
const CACHE_CONTROL: &str = "public, max-age=300";

/// The function `serve-jwks`.
pub fn function() -> Function {
    endpoint().start(start)
}

/// Its endpoint, before it is started. It shares the document.
pub fn endpoint() -> Endpoint<Arc<str>> {
    Endpoint::new("serve-jwks", Access::Public, GRANTS).get("/.well-known/jwks.json", serve_jwks)
}

async fn start(environment: Environment) -> Result<Arc<str>, Error> {
    Ok(document(&access_tokens(&environment).await?))
}

/// The document, made once at the start.
pub fn document(tokens: &AccessTokens) -> Arc<str> {
    tokens.key_set().to_string().into()
}

/// The public keys as a JWK set (RFC 7517): without our envelope, since those
/// who read it know that format only.
pub async fn serve_jwks(State(document): State<Arc<str>>) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "application/jwk-set+json"),
        (header::CACHE_CONTROL, CACHE_CONTROL),
    ];
    (headers, document.to_string())
}
