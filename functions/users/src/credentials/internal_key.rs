//! The key of machine clients.

use runtime::SecretVersions;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// Bytes of the key at least; the template generates more.
const BYTES_MIN: usize = 16;

/// The key of machine clients; only hashes of it are kept in memory.
pub struct InternalKey(Vec<[u8; 32]>);

#[derive(Debug, thiserror::Error)]
#[error("the internal key has fewer than {BYTES_MIN} bytes")]
pub struct InternalKeyError;

impl InternalKey {
    /// Accepts both versions of the secret. A previous one that is too short is
    /// ignored, so that the shop still starts after a weak key was replaced.
    ///
    /// # Errors
    /// When the current version is too short: an empty one would let everybody in.
    pub fn new(secret: &SecretVersions) -> Result<Self, InternalKeyError> {
        let hash = |key: &String| (key.len() >= BYTES_MIN).then(|| digest(key));
        let current = hash(&secret.current).ok_or(InternalKeyError)?;
        let previous = secret.previous.as_ref().and_then(hash);
        Ok(Self(std::iter::once(current).chain(previous).collect()))
    }

    /// Whether a client has the key, in constant time for both versions.
    pub fn matches(&self, offered: &str) -> bool {
        let offered = digest(offered);
        self.0
            .iter()
            .fold(Choice::from(0), |any, hash| any | hash.ct_eq(&offered))
            .into()
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_the_key_match_and_nothing_else_does() {
        let versions = SecretVersions {
            current: "current-key-of-machines".into(),
            previous: Some("previous-key-of-machines".into()),
        };
        let key = InternalKey::new(&versions).unwrap();
        assert!(key.matches("current-key-of-machines") && key.matches("previous-key-of-machines"));
        for wrong in [
            "",
            "current-key-of-machine",
            "current-key-of-machines ",
            "x",
        ] {
            assert!(!key.matches(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_short_key_is_rejected_and_a_short_previous_key_is_ignored() {
        let versions = |current: &str, previous: Option<&str>| SecretVersions {
            current: current.into(),
            previous: previous.map(str::to_owned),
        };
        assert!(InternalKey::new(&versions("", None)).is_err());
        assert!(InternalKey::new(&versions("short", None)).is_err());
        let key = InternalKey::new(&versions("long-enough-for-a-key", Some(""))).unwrap();
        assert!(key.matches("long-enough-for-a-key") && !key.matches(""));
    }
}
