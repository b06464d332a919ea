//! Tokens that are mailed to a person, and prove that the mail arrived.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{RandomError, SECRET_BYTES, random_secret, sha256};

/// A token in the link of a mail. Good for one use; only its hash is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct MailToken(String);

impl MailToken {
    /// A new token.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Self, RandomError> {
        random_secret().map(Self)
    }

    /// Reads a token; `None` when it cannot be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == SECRET_BYTES).then(|| Self(text.to_owned()))
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

impl fmt::Debug for MailToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_nothing_else_reads() {
        let token = MailToken::generate().unwrap();
        assert!(MailToken::parse(token.reveal()).as_ref() == Some(&token));
        assert!(!token.hash().contains(token.reveal()));
        assert!(!format!("{token:?}").contains(token.reveal()));
        let text = token.reveal();
        for other in [
            "",
            "x",
            &text[1..],
            &format!("{text}A"),
            &format!(" {text}"),
        ] {
            assert!(MailToken::parse(other).is_none(), "{other}");
        }
    }
}
