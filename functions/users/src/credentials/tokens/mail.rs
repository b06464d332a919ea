//! Tokens in the links of e-mails.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use runtime::Random;

use super::SECRET_BYTES;
use crate::credentials::sha256;

/// A single-use token in the link of an e-mail; only its hash is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct MailToken(String);

impl MailToken {
    pub fn generate(random: &Random) -> Self {
        Self(URL_SAFE_NO_PAD.encode(random.bytes::<SECRET_BYTES>()))
    }

    /// `None` when the text cannot be a token of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == SECRET_BYTES).then(|| Self(text.to_owned()))
    }

    /// The hash that is stored.
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
    fn only_a_whole_token_parses_and_it_is_not_shown() {
        let token = MailToken::generate(&Random::system());
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
