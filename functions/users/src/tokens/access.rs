//! Access tokens: JWTs signed with Ed25519 (RFC 9068, RFC 8037).

use jsonwebtoken::{Algorithm, Validation, decode, decode_header, encode};
use kernel::{SessionId, SignedDuration, Timestamp, UserId};
use runtime::{SecretVersions, http::Role};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    keys::{Key, KeyError},
    provider,
};

/// How long a token is good for.
pub const ACCESS_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// By how much the clocks of two functions may differ. AWS keeps them within
/// milliseconds.
const LEEWAY: SignedDuration = SignedDuration::from_secs(2);
/// For whom the tokens are.
const AUDIENCE: &str = "emporium-api";
/// Bytes of a token at most; ours have about 450.
const TOKEN_BYTES_MAX: usize = 2048;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who made it.
    pub iss: String,
    /// For whom.
    pub aud: String,
    /// Until when it is good, in seconds since the Unix epoch.
    pub exp: i64,
    /// Since when.
    pub iat: i64,
    /// Whom it is about.
    pub sub: UserId,
    /// The session that it belongs to.
    pub sid: SessionId,
    /// The role when it was made. For the client to show; the authorizer takes
    /// the role of now.
    pub role: Role,
    /// What names this token.
    pub jti: Uuid,
}

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It was, and is too old.
    #[error("the token has expired")]
    Expired,
    /// It is not one of ours.
    #[error("the token is not valid")]
    Invalid,
}

/// A token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the token cannot be signed")]
pub struct SignError(#[source] jsonwebtoken::errors::Error);

/// Makes and checks access tokens.
pub struct AccessTokens {
    issuer: String,
    current: Key,
    previous: Option<Key>,
    validation: Validation,
}

impl AccessTokens {
    /// The tokens of `issuer`, with keys derived from the secret. Its previous
    /// version still verifies, so that changing it signs nobody out; one from
    /// which no key can be made does not count.
    ///
    /// # Errors
    /// When the secret is too short.
    pub fn new(issuer: &str, secret: &SecretVersions) -> Result<Self, KeyError> {
        provider::install();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "aud", "sub"]);
        // The library would take the time from the machine, not from `Clock`.
        validation.validate_exp = false;
        Ok(Self {
            issuer: issuer.to_owned(),
            current: Key::derive(&secret.current)?,
            previous: secret
                .previous
                .as_deref()
                .and_then(|old| Key::derive(old).ok()),
            validation,
        })
    }

    /// A token for a session.
    ///
    /// # Errors
    /// When it cannot be signed, which is a defect.
    pub fn issue(
        &self,
        user_id: UserId,
        session_id: SessionId,
        role: Role,
        now: Timestamp,
    ) -> Result<String, SignError> {
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.into(),
            exp: now.as_second() + ACCESS_LIFETIME.as_secs(),
            iat: now.as_second(),
            sub: user_id,
            sid: session_id,
            role,
            jti: Uuid::now_v7(),
        };
        encode(&self.current.header, &claims, &self.current.private).map_err(SignError)
    }

    /// Checks a token: one of our keys, the very header that we write (so
    /// neither another algorithm or type, nor a `jku`, `jwk`, `x5u` or `crit`),
    /// signature, issuer, audience, times.
    ///
    /// # Errors
    /// [`Rejected::Expired`] only for a token that was good.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Rejected> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Rejected::Invalid);
        }
        let header = decode_header(token).map_err(|_| Rejected::Invalid)?;
        let key = self
            .keys()
            .find(|key| key.header == header)
            .ok_or(Rejected::Invalid)?;
        let claims = decode::<Claims>(token, &key.public, &self.validation)
            .map_err(|_| Rejected::Invalid)?
            .claims;
        if claims.iat > now.as_second() + LEEWAY.as_secs() {
            return Err(Rejected::Invalid);
        }
        if now.as_second() >= claims.exp.saturating_add(LEEWAY.as_secs()) {
            return Err(Rejected::Expired);
        }
        Ok(claims)
    }

    /// Whether a token says that it is signed with one of the keys; what cannot
    /// be read says nothing that another key could help with.
    pub(super) fn has_key_of(&self, token: &str) -> bool {
        let header = match decode_header(token) {
            Ok(header) if token.len() <= TOKEN_BYTES_MAX => header,
            _ => return true,
        };
        self.keys().any(|key| key.header.kid == header.kid)
    }

    /// The public keys, as a JWK set (RFC 7517, 5).
    pub fn key_set(&self) -> Value {
        json!({ "keys": self.keys().map(Key::jwk).collect::<Vec<_>>() })
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}
