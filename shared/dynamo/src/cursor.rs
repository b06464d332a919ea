//! Cursors: where the next page of a list begins, sealed against change and
//! against reading.
//!
//! A cursor is `base64url(nonce ‖ ciphertext ‖ tag)` of AES-256-GCM. What the list
//! was asked for is authenticated with it, so a cursor of one list opens no other.
//! The nonce is a code over the content (as in RFC 5297), not random: the same
//! page has the same cursor, and so the same `ETag`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::input::FieldErrors;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};
use runtime::{Environment, EnvironmentError};
use serde::{Serialize, de::DeserializeOwned};

/// The key that cursors are sealed with.
#[derive(Clone)]
pub struct CursorKey {
    /// Makes nonces.
    mac: hmac::Key,
    seal: [u8; 32],
}

impl CursorKey {
    /// The key of the variable `CURSOR_KEY`.
    ///
    /// # Errors
    /// When it is not set.
    pub fn from_environment(environment: &Environment) -> Result<Self, EnvironmentError> {
        let key = environment.require("CURSOR_KEY")?;
        Ok(Self::new(key.as_bytes()))
    }

    fn new(secret: &[u8]) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        // One step of HKDF (RFC 5869) for each purpose.
        let derive = |purpose: &[u8]| {
            let mut key = [0; 32];
            key.copy_from_slice(hmac::sign(&secret, purpose).as_ref());
            key
        };
        Self {
            mac: hmac::Key::new(hmac::HMAC_SHA256, &derive(b"cursor nonce\x01")),
            seal: derive(b"cursor\x01"),
        }
    }

    /// Seals a position in the list that `list` describes.
    pub fn seal<T: Serialize>(&self, list: &str, position: &T) -> Option<String> {
        let mut bytes = serde_json::to_vec(position).ok()?;
        let nonce = self.nonce(list, &bytes);
        let unique = Nonce::assume_unique_for_key(nonce);
        self.key()?
            .seal_in_place_append_tag(unique, Aad::from(list), &mut bytes)
            .ok()?;
        Some(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &bytes].concat()))
    }

    /// Opens a cursor of the list that `list` describes.
    ///
    /// # Errors
    /// When it is not a cursor of this list.
    pub fn open<T: DeserializeOwned>(&self, list: &str, cursor: &str) -> Result<T, FieldErrors> {
        let open = || {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
            let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
            let mut sealed = sealed.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let json = self
                .key()?
                .open_in_place(nonce, Aad::from(list), &mut sealed)
                .ok()?;
            serde_json::from_slice(json).ok()
        };
        open().ok_or_else(|| FieldErrors::at("cursor", "is not a cursor of this list"))
    }

    fn key(&self) -> Option<LessSafeKey> {
        let key = UnboundKey::new(&AES_256_GCM, &self.seal).ok()?;
        Some(LessSafeKey::new(key))
    }

    /// Differs for different contents, which is what AES-GCM requires.
    fn nonce(&self, list: &str, json: &[u8]) -> [u8; NONCE_LEN] {
        let mut context = hmac::Context::with_key(&self.mac);
        context.update(list.as_bytes());
        context.update(&[0]);
        context.update(json);
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&context.sign().as_ref()[..NONCE_LEN]);
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_only_its_own_list_and_only_unchanged() {
        let key = CursorKey::new(b"key");
        let cursor = key.seal("orders of ada", &("2026", 7)).unwrap();
        assert_eq!(
            key.open::<(String, i32)>("orders of ada", &cursor).unwrap(),
            ("2026".into(), 7)
        );
        assert!(key.open::<(String, i32)>("orders of bob", &cursor).is_err());
        let mut bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            let changed = URL_SAFE_NO_PAD.encode(&bytes);
            assert!(
                key.open::<(String, i32)>("orders of ada", &changed)
                    .is_err()
            );
            bytes[at] ^= 1;
        }
        for nonsense in ["", "AAAA", "not base64!", "ÿ"] {
            assert!(
                key.open::<(String, i32)>("orders of ada", nonsense)
                    .is_err()
            );
        }
    }

    #[test]
    fn a_cursor_does_not_show_its_content_and_is_the_same_for_the_same_page() {
        let key = CursorKey::new(b"key");
        let position = ("ada@example.com", 7);
        let cursor = key.seal("users", &position).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("ada"));
        assert_eq!(key.seal("users", &position).unwrap(), cursor);
        let other = CursorKey::new(b"other");
        assert_ne!(other.seal("users", &position).unwrap(), cursor);
        assert!(other.open::<(String, i32)>("users", &cursor).is_err());
    }
}
