//! The keys of access tokens, derived from a secret that no hand has made.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What the seed is derived for (HKDF's `info`, RFC 5869): a key that is
/// derived from the same secret for something else has nothing to do with it.
const SEED_INFO: &[u8] = b"emporium/access-token/ed25519";
/// Bytes of a seed (RFC 8032, 5.1.5).
const SEED_BYTES: usize = 32;
/// Bytes of the public key's hash that name it: it has to tell two keys apart.
const KEY_ID_BYTES: usize = 12;
/// Bytes of the secret at least; the template generates more.
const SECRET_BYTES_MIN: usize = 32;
/// The type of an access token (RFC 9068, 2.1), so that no other JWT that the
/// keys may ever sign is taken for one.
const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// A secret from which no key can be made.
#[derive(Debug, thiserror::Error)]
#[error("no key can be derived from the secret")]
pub struct KeyError;

/// One key pair.
pub(super) struct Key {
    /// The header of every token that it signs.
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

    /// The public key as a JWK (RFC 8037, 2).
    pub(super) fn jwk(&self) -> Value {
        json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
            "kid": self.header.kid, "x": self.x
        })
    }
}
