//! Tokens: access tokens ([`AccessTokens`]), the refresh tokens that renew them
//! ([`RefreshToken`]), those by which a device is known again ([`DeviceToken`]), and the
//! tokens in the links of e-mails ([`MailToken`]).

mod access;
mod device;
mod key_ring;
mod keys;
mod mail;
mod provider;
mod refresh;

#[cfg(test)]
mod forgeries;

pub use access::{ACCESS_LIFETIME, AccessTokens, Claims, SignError, TokenError};
pub use device::{DEVICE_LIFETIME, DeviceToken};
pub use key_ring::KeyRing;
pub use keys::KeyError;
pub use mail::MailToken;
pub use refresh::RefreshToken;

/// Random bytes of a token: 256 bits cannot be guessed.
const SECRET_BYTES: usize = 32;
