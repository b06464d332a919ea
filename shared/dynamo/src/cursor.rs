//! Cursors: where the next page of a list begins, sealed against change.
//!
//! A cursor is `base64url(mac ‖ json)`. The code also covers what the list was
//! asked for, so a cursor of one list opens no other.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::input::FieldErrors;
use ring::hmac;
use runtime::{Environment, EnvironmentError};
use serde::{Serialize, de::DeserializeOwned};

/// Bytes of the code that are kept: 128 bits (RFC 2104, section 5).
const MAC_BYTES: usize = 16;

/// The key that cursors are sealed with.
#[derive(Clone)]
pub struct CursorKey(hmac::Key);

impl CursorKey {
    /// The key of the variable `CURSOR_KEY`.
    ///
    /// # Errors
    /// When it is not set.
    pub fn from_environment(environment: &Environment) -> Result<Self, EnvironmentError> {
        let key = environment.require("CURSOR_KEY")?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())))
    }

    /// Seals a position in the list that `list` describes.
    pub fn seal<T: Serialize>(&self, list: &str, position: &T) -> Option<String> {
        let json = serde_json::to_vec(position).ok()?;
        let mac = self.mac(list, &json);
        Some(URL_SAFE_NO_PAD.encode([&mac.as_ref()[..MAC_BYTES], json.as_slice()].concat()))
    }

    /// Opens a cursor of the list that `list` describes.
    ///
    /// # Errors
    /// When it is not a cursor of this list.
    pub fn open<T: DeserializeOwned>(&self, list: &str, cursor: &str) -> Result<T, FieldErrors> {
        let open = || {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
            let (mac, json) = bytes.split_at_checked(MAC_BYTES)?;
            // ring verifies whole codes only; this compares the kept part in
            // constant time by comparing codes of the codes.
            let expected = self.mac(list, json);
            let same = hmac::sign(&self.0, &expected.as_ref()[..MAC_BYTES]);
            hmac::verify(&self.0, mac, same.as_ref()).ok()?;
            serde_json::from_slice(json).ok()
        };
        open().ok_or_else(|| FieldErrors::at("cursor", "is not a cursor of this list"))
    }

    fn mac(&self, list: &str, json: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(list.as_bytes());
        context.update(&[0]);
        context.update(json);
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_only_its_own_list_and_only_unchanged() {
        let key = CursorKey(hmac::Key::new(hmac::HMAC_SHA256, b"key"));
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
}
