//! Refresh tokens: opaque, and stored only as hashes.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::{SessionId, UserId};
use runtime::Random;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::SECRET_BYTES;
use crate::credentials::sha256;

const ID_BYTES: usize = 16;

/// A single-use refresh token: `<session id>.<user id and secret>`.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    pub session_id: SessionId,
    pub user_id: UserId,
    /// The user id and the random bytes, base64url.
    secret: String,
}

impl RefreshToken {
    pub fn generate(user_id: UserId, session_id: SessionId, random: &Random) -> Self {
        let random = random.bytes::<SECRET_BYTES>();
        let bytes = [user_id.as_uuid().as_bytes().as_slice(), &random].concat();
        Self {
            session_id,
            user_id,
            secret: URL_SAFE_NO_PAD.encode(bytes),
        }
    }

    /// `None` when the text cannot be a token of ours.
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

    /// The hash that is stored.
    pub fn hash(&self) -> String {
        sha256(&self.secret)
    }

    /// Whether the stored hash is that of this token, in constant time.
    pub fn matches(&self, hash: &str) -> bool {
        self.hash().as_bytes().ct_eq(hash.as_bytes()).into()
    }

    /// The token as the client gets it.
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

    fn generate() -> RefreshToken {
        RefreshToken::generate(testkit::new_id(), testkit::new_id(), &Random::system())
    }

    #[test]
    fn a_token_parses_and_matches_only_its_own_hash() {
        let token = generate();
        let read = RefreshToken::parse(&token.reveal()).unwrap();
        assert!(read == token && read.matches(&token.hash()));
        let other = RefreshToken::generate(token.user_id, token.session_id, &Random::system());
        assert!(!other.matches(&token.hash()) && !other.matches(""));
        assert!(!token.hash().contains(&token.secret));
    }

    #[test]
    fn text_that_is_not_exactly_a_token_does_not_parse() {
        let token = generate().reveal();
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
    fn debug_does_not_show_the_token() {
        let token = generate();
        assert!(!format!("{token:?}").contains(&token.secret));
    }
}
