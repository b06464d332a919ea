//! What proves a session: access tokens ([`AccessTokens`]), and the refresh
//! tokens with which new ones are had ([`RefreshToken`]). What proves that a
//! mail arrived: [`MailToken`].

mod access;
mod keys;
mod mail;
mod provider;
mod refresh;
mod ring;

#[cfg(test)]
mod forgeries;

pub use access::{ACCESS_LIFETIME, AccessTokens, Claims, Rejected, SignError};
pub use keys::KeyError;
pub use mail::MailToken;
pub use refresh::RefreshToken;
pub use ring::{KeyRing, Reread};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// Bytes of a secret: 256 bits cannot be guessed.
const SECRET_BYTES: usize = 32;

/// The system has no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the system has no randomness")]
pub struct RandomError;

fn random_bytes() -> Result<[u8; SECRET_BYTES], RandomError> {
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret).map_err(|_| RandomError)?;
    Ok(secret)
}

fn random_secret() -> Result<String, RandomError> {
    random_bytes().map(|secret| URL_SAFE_NO_PAD.encode(secret))
}

/// SHA-256, base64url. Without salt or passes: what is hashed is random.
pub(crate) fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}
