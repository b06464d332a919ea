//! The keys of access tokens, derived from a generated secret.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// HKDF's `info` (RFC 5869): keys derived from the same secret for another purpose
/// are independent of this one.
const SEED_INFO: &[u8] = b"emporium/access-token/ed25519";
/// RFC 8032, section 5.1.5.
const SEED_BYTES: usize = 32;
/// Bytes of the public key's hash in a key id: enough to distinguish two keys.
const KEY_ID_BYTES: usize = 12;
/// The shortest secret, in bytes; the template generates more.
const SECRET_BYTES_MIN: usize = 32;
/// RFC 9068, section 2.1: no other JWT that these keys may ever sign passes for an
/// access token.
const ACCESS_TOKEN_TYPE: &str = "at+jwt";

#[derive(Debug, thiserror::Error)]
#[error("no key can be derived from the secret")]
pub struct KeyError;

pub(super) struct Key {
    /// The header of every token that this key signs.
    pub(super) header: Header,
    pub(super) private: EncodingKey,
    pub(super) public: DecodingKey,
    x: String,
}

impl Key {
    pub(super) fn derive(secret: &str) -> Result<Self, KeyError> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(KeyError);
        }
        let mut seed = [0; SEED_BYTES];
        Hkdf::<Sha256>::new(None, secret.as_bytes())
            .expand(SEED_INFO, &mut seed)
            .map_err(|_| KeyError)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError)?;
        let public = pair.public_key().as_ref();
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(ACCESS_TOKEN_TYPE.into());
        header.kid = Some(URL_SAFE_NO_PAD.encode(&Sha256::digest(public)[..KEY_ID_BYTES]));
        Ok(Self {
            header,
            private: EncodingKey::from_ed_der(&seed),
            public: DecodingKey::from_ed_der(public),
            x: URL_SAFE_NO_PAD.encode(public),
        })
    }

    /// The public key as a JWK (RFC 8037, section 2).
    pub(super) fn jwk(&self) -> Value {
        json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
            "kid": self.header.kid, "x": self.x
        })
    }
}
