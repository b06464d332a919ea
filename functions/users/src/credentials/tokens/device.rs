//! Device tokens: they show that a device has logged in to an account before, so that its
//! failures count apart from those of strangers. They give no access.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use kernel::{SignedDuration, Timestamp, UserId};
use ring::hmac;
use runtime::{Random, SecretVersions};
use sha2::Sha256;
use uuid::Uuid;

use crate::domain::{PasswordHash, User};

pub const DEVICE_LIFETIME: SignedDuration = SignedDuration::from_hours(180 * 24);

/// HKDF's `info` (RFC 5869): the key is independent of those of access tokens, which are
/// derived from the same secret.
const KEY_INFO: &[u8] = b"emporium/device-token/hmac-sha256";
const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 16;
const TIME_BYTES: usize = 8;
/// A whole HMAC-SHA-256.
const MAC_BYTES: usize = 32;

/// A token as a client sent it, not verified.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceToken {
    pub device: Uuid,
    /// In seconds since the Unix epoch.
    issued_at: i64,
    mac: [u8; MAC_BYTES],
}

impl std::fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceToken(…)")
    }
}

impl DeviceToken {
    /// `None` when the text cannot be a token of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (device, rest) = bytes.split_first_chunk::<ID_BYTES>()?;
        let (issued_at, mac) = rest.split_first_chunk::<TIME_BYTES>()?;
        Some(Self {
            device: Uuid::from_bytes(*device),
            issued_at: i64::from_be_bytes(*issued_at),
            mac: mac.try_into().ok()?,
        })
    }

    fn reveal(&self) -> String {
        let id = self.device.as_bytes().as_slice();
        URL_SAFE_NO_PAD.encode([id, &self.issued_at.to_be_bytes(), &self.mac].concat())
    }
}

/// Issues and verifies device tokens.
pub(super) struct DeviceTokens {
    current: hmac::Key,
    previous: Option<hmac::Key>,
}

impl DeviceTokens {
    pub(super) fn new(secret: &SecretVersions) -> Self {
        Self {
            current: derive(&secret.current),
            previous: secret.previous.as_deref().map(derive),
        }
    }

    /// A token for a device with which somebody has just shown all that the account has.
    pub(super) fn issue(
        &self,
        account: (UserId, &PasswordHash),
        known: Option<Uuid>,
        random: &Random,
        now: Timestamp,
    ) -> String {
        let device = known.unwrap_or_else(|| Uuid::from_bytes(random.bytes::<ID_BYTES>()));
        let issued_at = now.as_second();
        let tag = hmac::sign(&self.current, &signed(account, device, issued_at));
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(tag.as_ref());
        let token = DeviceToken {
            device,
            issued_at,
            mac,
        };
        token.reveal()
    }

    /// Whether a token was issued for this account, since its password was set, and has
    /// not expired. The work is the same without an account.
    pub(super) fn recognises(
        &self,
        token: &DeviceToken,
        user: Option<&User>,
        now: Timestamp,
    ) -> bool {
        let nobody = PasswordHash(String::new());
        let account = user.map_or_else(
            || (Uuid::nil().into(), &nobody),
            |user| (user.id, &user.password_hash),
        );
        let signed = signed(account, token.device, token.issued_at);
        let is_signed_with = |key: &hmac::Key| hmac::verify(key, &signed, &token.mac).is_ok();
        let is_ours =
            is_signed_with(&self.current) | self.previous.as_ref().is_some_and(is_signed_with);
        let expires = token.issued_at.saturating_add(DEVICE_LIFETIME.as_secs());
        is_ours && user.is_some() && now.as_second() < expires
    }
}

fn derive(secret: &str) -> hmac::Key {
    let mut key = [0; KEY_BYTES];
    // Fails only for more bytes than HKDF can give.
    let _ = Hkdf::<Sha256>::new(None, secret.as_bytes()).expand(KEY_INFO, &mut key);
    hmac::Key::new(hmac::HMAC_SHA256, &key)
}

/// What the MAC covers. The hash of the password has a salt of its own, so that a token
/// ends with the password that it was issued for, even if the next one is the same.
fn signed((id, password): (UserId, &PasswordHash), device: Uuid, issued_at: i64) -> Vec<u8> {
    let parts: [&[u8]; 4] = [
        id.as_uuid().as_bytes(),
        device.as_bytes(),
        &issued_at.to_be_bytes(),
        password.0.as_bytes(),
    ];
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn ada() -> User {
        User::placeholder(testkit::new_id(), NOW)
    }

    fn tokens(current: &str, previous: Option<&str>) -> DeviceTokens {
        DeviceTokens::new(&SecretVersions {
            current: current.into(),
            previous: previous.map(str::to_owned),
        })
    }

    fn issue(tokens: &DeviceTokens, user: &User) -> DeviceToken {
        let token = tokens.issue((user.id, &user.password_hash), None, &Random::system(), NOW);
        DeviceToken::parse(&token).unwrap()
    }

    #[test]
    fn a_token_is_recognised_for_its_own_account_and_for_180_days() {
        let (user, tokens) = (ada(), tokens("secret", None));
        let token = issue(&tokens, &user);
        let last = NOW + DEVICE_LIFETIME - SignedDuration::from_secs(1);
        assert!(tokens.recognises(&token, Some(&user), last));
        assert!(!tokens.recognises(&token, Some(&user), NOW + DEVICE_LIFETIME));
        assert!(!tokens.recognises(&token, Some(&ada()), NOW));
        assert!(!tokens.recognises(&token, None, NOW));
        let account = (user.id, &user.password_hash);
        let renewed = tokens.issue(account, Some(token.device), &Random::system(), last);
        assert_eq!(DeviceToken::parse(&renewed).unwrap().device, token.device);
    }

    #[test]
    fn a_token_for_nobody_is_not_recognised() {
        let tokens = tokens("secret", None);
        let nobody = PasswordHash(String::new());
        let tag = hmac::sign(
            &tokens.current,
            &signed((Uuid::nil().into(), &nobody), Uuid::nil(), 0),
        );
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(tag.as_ref());
        let token = DeviceToken {
            device: Uuid::nil(),
            issued_at: 0,
            mac,
        };
        assert!(!tokens.recognises(&token, None, NOW));
    }

    #[test]
    fn a_token_ends_with_the_password() {
        let (user, tokens) = (ada(), tokens("secret", None));
        let token = issue(&tokens, &user);
        let changed = user.with_password(PasswordHash("another".into()));
        assert!(!tokens.recognises(&token, Some(&changed), NOW));
        let verified = User {
            email_verified: true,
            session_epoch: 1,
            version: 2,
            ..user
        };
        assert!(tokens.recognises(&token, Some(&verified), NOW));
    }

    #[test]
    fn a_token_survives_one_rotation_of_the_secret_and_no_other_key() {
        let user = ada();
        let token = issue(&tokens("old", None), &user);
        assert!(tokens("new", Some("old")).recognises(&token, Some(&user), NOW));
        assert!(!tokens("newer", Some("new")).recognises(&token, Some(&user), NOW));
    }

    #[test]
    fn a_changed_token_is_not_recognised_and_is_not_shown() {
        let (user, tokens) = (ada(), tokens("secret", None));
        let token = issue(&tokens, &user);
        let text = token.reveal();
        assert!(!format!("{token:?}").contains(&text[..8]));
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for at in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[at] ^= 1;
            let forged = DeviceToken::parse(&URL_SAFE_NO_PAD.encode(forged)).unwrap();
            assert!(!tokens.recognises(&forged, Some(&user), NOW), "byte {at}");
        }
        for other in [
            "",
            "x",
            &text[1..],
            &format!("{text}AAAA"),
            &format!(" {text}"),
        ] {
            assert!(DeviceToken::parse(other).is_none(), "{other}");
        }
    }
}
