//! Texts that travel through events and tables but that only one service may
//! read: encrypted with AES-256-GCM under a key derived (HKDF-SHA-256, RFC 5869)
//! from a secret that the sender and the reader share.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::Sha256;

use crate::{Random, SecretVersions};

/// The key that seals and opens texts; the previous version of the secret still
/// opens what was sealed before a rotation.
#[derive(Clone)]
pub struct SealKey {
    secret: SecretVersions,
    purpose: &'static str,
    random: Random,
}

/// A text cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
#[error("the sealed text cannot be opened")]
pub struct SealedError;

impl SealKey {
    /// A key for one purpose: it does not open what was sealed for another.
    pub fn new(secret: SecretVersions, purpose: &'static str, random: Random) -> Self {
        Self {
            secret,
            purpose,
            random,
        }
    }

    /// Seals a text.
    ///
    /// # Errors
    /// When it is longer than AES-GCM can seal.
    pub fn seal(&self, text: &str) -> Result<String, SealedError> {
        let nonce = self.random.bytes::<NONCE_LEN>();
        let mut sealed = text.as_bytes().to_vec();
        self.key(&self.secret.current)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::empty(),
                &mut sealed,
            )
            .map_err(|_| SealedError)?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens a sealed text.
    ///
    /// # Errors
    /// When it was sealed with another key, or has been changed.
    pub fn open(&self, sealed: &str) -> Result<String, SealedError> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| SealedError)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(SealedError)?;
        std::iter::once(&self.secret.current)
            .chain(&self.secret.previous)
            .find_map(|secret| {
                let mut sealed = sealed.to_vec();
                let nonce = Nonce::assume_unique_for_key(*nonce);
                let text = self
                    .key(secret)
                    .ok()?
                    .open_in_place(nonce, Aad::empty(), &mut sealed)
                    .ok()?;
                String::from_utf8(text.to_vec()).ok()
            })
            .ok_or(SealedError)
    }

    fn key(&self, secret: &str) -> Result<LessSafeKey, SealedError> {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(None, secret.as_bytes())
            .expand(self.purpose.as_bytes(), &mut key)
            .map_err(|_| SealedError)?;
        UnboundKey::new(&AES_256_GCM, &key)
            .map(LessSafeKey::new)
            .map_err(|_| SealedError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(current: &str, previous: Option<&str>, purpose: &'static str) -> SealKey {
        let secret = SecretVersions {
            current: current.into(),
            previous: previous.map(str::to_owned),
        };
        SealKey::new(secret, purpose, Random::system())
    }

    #[test]
    fn opens_what_it_sealed_also_after_a_rotation() {
        let sealed = key("one", None, "mail").seal("token").unwrap();
        assert!(!sealed.contains("token"));
        assert_eq!(key("one", None, "mail").open(&sealed).unwrap(), "token");
        assert_eq!(
            key("two", Some("one"), "mail").open(&sealed).unwrap(),
            "token"
        );
        assert!(key("two", None, "mail").open(&sealed).is_err());
        assert!(key("one", None, "other").open(&sealed).is_err());
    }

    #[test]
    fn a_changed_byte_does_not_open() {
        let sealed = key("one", None, "mail").seal("token").unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert!(
                key("one", None, "mail")
                    .open(&URL_SAFE_NO_PAD.encode(&bytes))
                    .is_err()
            );
            bytes[at] ^= 1;
        }
    }
}
