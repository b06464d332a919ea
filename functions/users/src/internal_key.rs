//! The key of machine clients.

use runtime::SecretVersions;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// The key of machine clients; only hashes of it are kept.
pub struct InternalKey(Vec<[u8; 32]>);

/// A key that anybody could guess.
#[derive(Debug, thiserror::Error)]
#[error("the internal key has fewer than {INTERNAL_KEY_BYTES_MIN} bytes")]
pub struct InternalKeyError;

/// Bytes of the key at least; the template generates more.
const INTERNAL_KEY_BYTES_MIN: usize = 16;

impl InternalKey {
    /// The key in both of its versions. A previous one that is too short does
    /// not count: it must not keep the shop from starting after it was changed.
    ///
    /// # Errors
    /// When it is too short: an empty one would let everybody in.
    pub fn new(secret: &SecretVersions) -> Result<Self, InternalKeyError> {
        let hash = |key: &String| (key.len() >= INTERNAL_KEY_BYTES_MIN).then(|| digest(key));
        let current = hash(&secret.current).ok_or(InternalKeyError)?;
        let previous = secret.previous.as_ref().and_then(hash);
        Ok(Self(std::iter::once(current).chain(previous).collect()))
    }

    /// Whether a client has the key. It takes the same time whichever version
    /// it is, and however much of it is right.
    pub fn is(&self, offered: &str) -> bool {
        let offered = digest(offered);
        let same = |hash: &[u8; 32]| hash.ct_eq(&offered);
        self.0
            .iter()
            .map(same)
            .fold(Choice::from(0), |any, one| any | one)
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
    fn the_internal_key_is_good_in_both_versions_and_nothing_else_is() {
        let versions = SecretVersions {
            current: "current-key-of-machines".into(),
            previous: Some("previous-key-of-machines".into()),
        };
        let key = InternalKey::new(&versions).unwrap();
        assert!(key.is("current-key-of-machines") && key.is("previous-key-of-machines"));
        for wrong in [
            "",
            "current-key-of-machine",
            "current-key-of-machines ",
            "x",
        ] {
            assert!(!key.is(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_key_that_could_be_guessed_is_refused() {
        let versions = |current: &str, previous: Option<&str>| SecretVersions {
            current: current.into(),
            previous: previous.map(str::to_owned),
        };
        assert!(InternalKey::new(&versions("", None)).is_err());
        assert!(InternalKey::new(&versions("short", None)).is_err());
        let key = InternalKey::new(&versions("long-enough-for-a-key", Some(""))).unwrap();
        assert!(key.is("long-enough-for-a-key") && !key.is(""));
    }
}
