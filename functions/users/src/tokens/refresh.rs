//! Opaque tokens, of which only the hash is kept.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::SessionId;
use subtle::ConstantTimeEq;

use super::{RandomError, SECRET_BYTES, random_secret, sha256};

/// A refresh token: `<session id>.<secret>`. Good for one use.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The session that it refreshes.
    pub session_id: SessionId,
    secret: String,
}

impl RefreshToken {
    /// A new token for a session.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate(session_id: SessionId) -> Result<Self, RandomError> {
        let secret = random_secret()?;
        Ok(Self { session_id, secret })
    }

    /// Reads a token; `None` when it cannot be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let (session_id, secret) = text.split_once('.')?;
        let bytes = URL_SAFE_NO_PAD.decode(secret).ok()?;
        Some(Self {
            session_id: session_id.parse().ok()?,
            secret: (bytes.len() == SECRET_BYTES).then(|| secret.to_owned())?,
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

/// What is mailed to a person to show that the address is theirs.
pub struct VerificationToken(String);

impl VerificationToken {
    /// A new token.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Self, RandomError> {
        random_secret().map(Self)
    }

    /// What is kept of it.
    pub fn hash(&self) -> String {
        sha256(&self.0)
    }

    /// The token, to be sealed.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_matches_only_its_own_hash() {
        let token = RefreshToken::generate(SessionId::generate()).unwrap();
        let read = RefreshToken::parse(&token.reveal()).unwrap();
        assert!(read == token && read.matches(&token.hash()));
        let other = RefreshToken::generate(token.session_id).unwrap();
        assert!(!other.matches(&token.hash()) && !other.matches(""));
        assert!(!token.hash().contains(&token.secret));
    }

    #[test]
    fn what_is_not_a_token_does_not_read() {
        let token = RefreshToken::generate(SessionId::generate())
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
        let token = RefreshToken::generate(SessionId::generate()).unwrap();
        assert!(!format!("{token:?}").contains(&token.secret));
    }
}
