//! Access tokens: JWTs signed with Ed25519 (RFC 9068, RFC 8037).

use jsonwebtoken::{Algorithm, Validation, decode, decode_header, encode};
use kernel::{Principal, Role, SessionId, SignedDuration, Timestamp, UserId};
use runtime::SecretVersions;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    device::DeviceTokens,
    keys::{Key, KeyError},
    provider,
};

pub const ACCESS_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// How far the clocks of two functions may differ. AWS keeps them within
/// milliseconds.
const LEEWAY: SignedDuration = SignedDuration::from_secs(2);
const AUDIENCE: &str = "emporium-api";
/// The longest token that is parsed, in bytes; ours have about 450.
const TOKEN_BYTES_MAX: usize = 2048;

/// The claims of an access token (RFC 7519, section 4.1; `sid` as in OpenID Connect).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    /// In seconds since the Unix epoch, as `iat`.
    pub exp: i64,
    pub iat: i64,
    pub sub: UserId,
    pub sid: SessionId,
    /// The role at the time of issue, for the client to display; the authorizer
    /// uses the current one.
    pub role: Role,
    pub jti: Uuid,
}

/// Why a token is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was valid and has expired.
    #[error("the token has expired")]
    Expired,
    #[error("the token is invalid")]
    Invalid,
}

#[derive(Debug, thiserror::Error)]
#[error("the token cannot be signed")]
pub struct SignError(#[source] jsonwebtoken::errors::Error);

/// Issues and verifies access tokens, and the device tokens of the same secret.
pub struct AccessTokens {
    issuer: String,
    current: Key,
    previous: Option<Key>,
    pub(super) devices: DeviceTokens,
    validation: Validation,
}

impl AccessTokens {
    /// The tokens of `issuer`, with keys derived from the secret. The previous
    /// version of the secret still verifies, so that a rotation signs nobody out;
    /// it is ignored when no key can be derived from it.
    ///
    /// # Errors
    /// When the current version is too short.
    pub fn new(issuer: &str, secret: &SecretVersions) -> Result<Self, KeyError> {
        provider::install();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "aud", "sub"]);
        // The library would read the system clock; `verify` compares with `now`.
        validation.validate_exp = false;
        Ok(Self {
            issuer: issuer.to_owned(),
            current: Key::derive(&secret.current)?,
            previous: secret
                .previous
                .as_deref()
                .and_then(|old| Key::derive(old).ok()),
            devices: DeviceTokens::new(secret),
            validation,
        })
    }

    /// A token with the id `id` for a session.
    ///
    /// # Errors
    /// When it cannot be signed, which is a defect.
    pub fn issue(
        &self,
        principal: &Principal,
        id: Uuid,
        now: Timestamp,
    ) -> Result<String, SignError> {
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.into(),
            exp: now.as_second() + ACCESS_LIFETIME.as_secs(),
            iat: now.as_second(),
            sub: principal.user_id,
            sid: principal.session_id,
            role: principal.role,
            jti: id,
        };
        encode(&self.current.header, &claims, &self.current.private).map_err(SignError)
    }

    /// Verifies a token: one of our keys, exactly the header that we write (so no
    /// other algorithm or type, and no `jku`, `jwk`, `x5u` or `crit`), signature,
    /// issuer, audience, times.
    ///
    /// # Errors
    /// [`TokenError::Expired`] only for a token that was valid before.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        let key = self
            .keys()
            .find(|key| key.header == header)
            .ok_or(TokenError::Invalid)?;
        let claims = decode::<Claims>(token, &key.public, &self.validation)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        if claims.iat > now.as_second() + LEEWAY.as_secs() {
            return Err(TokenError::Invalid);
        }
        if now.as_second() >= claims.exp.saturating_add(LEEWAY.as_secs()) {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }

    /// Whether the token's key id is that of one of the keys. True for a token
    /// that cannot be parsed, since no other key would verify it.
    pub(super) fn has_key_of(&self, token: &str) -> bool {
        let header = match decode_header(token) {
            Ok(header) if token.len() <= TOKEN_BYTES_MAX => header,
            _ => return true,
        };
        self.keys().any(|key| key.header.kid == header.kid)
    }

    /// The public keys as a JWK set (RFC 7517, section 5).
    pub fn key_set(&self) -> Value {
        json!({ "keys": self.keys().map(Key::jwk).collect::<Vec<_>>() })
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}
