//! Opaque tokens, of which only the hash is kept.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::{SessionId, UserId};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{RandomError, SECRET_BYTES, random_bytes, sha256};

/// Bytes of an id.
const ID_BYTES: usize = 16;

/// A refresh token: `<session id>.<user id and secret>`. Good for one use.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The session that it refreshes.
    pub session_id: SessionId,
    /// Whose session that is.
    pub user_id: UserId,
    secret: String,
}

impl RefreshToken {
    /// A new token for a session.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate(user_id: UserId, session_id: SessionId) -> Result<Self, RandomError> {
        let bytes = [user_id.as_uuid().as_bytes().as_slice(), &random_bytes()?].concat();
        Ok(Self {
            session_id,
            user_id,
            secret: URL_SAFE_NO_PAD.encode(bytes),
        })
    }

    /// Reads a token; `None` when it cannot be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let (session_id, secret) = text.split_once('.')?;
        let bytes = URL_SAFE_NO_PAD.decode(secret).ok()?;
        let (user_id, random) = bytes.split_first_chunk::<ID_BYTES>()?;
        Some(Self {
            session_id: session_id.parse().ok()?,
            user_id: Uuid::from_bytes(*user_id).into(),
            secret: (random.len() == SECRET_BYTES).then(|| secret.to_owned())?,
        })
    }

    /// What is kept of it.
    pub fn hash(&self) -> String {
        sha256(&self.secret)
    }

    /// Whether it is the one of which `hash` was kept, in constant time.
    pub fn matches(&self, hash: &str) -> bool {
        self.hash().as_bytes().ct_eq(hash.as_bytes()).into()
    }

    /// The token as a client has it.
    pub fn reveal(&self) -> String {
        format!("{}.{}", self.session_id, self.secret)
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_matches_only_its_own_hash() {
        let token = RefreshToken::generate(testkit::new_id::<UserId>(), testkit::new_id::<SessionId>()).unwrap();
        let read = RefreshToken::parse(&token.reveal()).unwrap();
        assert!(read == token && read.matches(&token.hash()));
        let other = RefreshToken::generate(token.user_id, token.session_id).unwrap();
        assert!(!other.matches(&token.hash()) && !other.matches(""));
        assert!(!token.hash().contains(&token.secret));
    }

    #[test]
    fn what_is_not_a_token_does_not_read() {
        let token = RefreshToken::generate(testkit::new_id::<UserId>(), testkit::new_id::<SessionId>())
            .unwrap()
            .reveal();
        let simple = token.replace('-', "");
        let longer = format!("{token}AAAA");
        let padded = format!("{token}=");
        let spaced = format!(" {token}");
        for text in [
            "",
            ".",
            "x.y",
            &token[..token.len() - 1],
            &longer,
            &padded,
            &spaced,
            &simple,
            &token[1..],
            &token.replace('.', ""),
        ] {
            assert!(RefreshToken::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_token_does_not_show_itself() {
        let token = RefreshToken::generate(testkit::new_id::<UserId>(), testkit::new_id::<SessionId>()).unwrap();
        assert!(!format!("{token:?}").contains(&token.secret));
    }
}
