//! The second factor of a login: codes of an authenticator app (TOTP, RFC 6238), and
//! recovery codes for when the app is lost.

use std::fmt;

use kernel::{
    SignedDuration, Timestamp,
    input::{FieldErrors, FromInput, Value},
};
use serde::{Deserialize, Serialize};

/// What every app shows.
pub const CODE_DIGITS: usize = 6;
/// 80 bits in base32.
pub const RECOVERY_CODE_LENGTH: usize = 16;
pub const RECOVERY_CODES: usize = 10;
/// How long an enrolment waits for its first code.
pub const ENROLMENT_LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// The longest code as typed, with spaces and hyphens.
const TYPED_LENGTH_MAX: usize = 40;
/// The digits of base32 (RFC 4648, section 6).
const BASE32_DIGITS: std::ops::RangeInclusive<u8> = b'2'..=b'7';

/// A second factor as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub struct SecondFactor {
    /// The secret of the app, sealed.
    pub sealed_secret: String,
    pub enrolled_at: Timestamp,
    /// When its first code was verified: since then logging in requires it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// The time step of the last code used; codes of it and before are rejected.
    #[serde(default, rename = "last_step")]
    pub last_time_step: u64,
    /// SHA-256 of each unused recovery code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recovery_hashes: Vec<String>,
}

impl SecondFactor {
    pub fn pending(sealed_secret: String, now: Timestamp) -> Self {
        Self {
            sealed_secret,
            enrolled_at: now,
            confirmed_at: None,
            last_time_step: 0,
            recovery_hashes: Vec::new(),
        }
    }

    /// Whether logging in requires it.
    pub fn is_confirmed(&self) -> bool {
        self.confirmed_at.is_some()
    }

    /// Whether it still waits for its first code.
    pub fn is_pending(&self, now: Timestamp) -> bool {
        !self.is_confirmed() && now < self.confirm_before()
    }

    pub fn confirm_before(&self) -> Timestamp {
        let until = self.enrolled_at.saturating_add(ENROLMENT_LIFETIME);
        until.unwrap_or(self.enrolled_at)
    }

    /// Whether no code of this time step or a later one was used.
    pub fn accepts(&self, time_step: u64) -> bool {
        time_step > self.last_time_step
    }

    pub fn has_recovery_code(&self, hash: &str) -> bool {
        self.recovery_hashes.iter().any(|kept| kept == hash)
    }
}

impl fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecondFactor(…)")
    }
}

/// A code that was verified and is to be used up.
#[derive(Clone, PartialEq, Eq)]
pub enum VerifiedFactor {
    Totp {
        time_step: u64,
        /// The secret of the app, sealed with the current key.
        resealed: String,
    },
    RecoveryCode {
        /// SHA-256 of the code.
        hash: String,
    },
}

/// A one-time code as typed, without spaces and hyphens. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub enum Otp {
    /// Six digits from the app.
    Code(String),
    RecoveryCode(String),
}

impl Otp {
    /// Parses a code of the app; a recovery code is refused.
    ///
    /// # Errors
    /// When it is not six digits.
    pub fn code(value: Value<'_>) -> Result<Self, FieldErrors> {
        match Self::parse(value)? {
            Some(code @ Self::Code(_)) => Ok(code),
            _ => Err(FieldErrors::new("must be the 6 digits that the app shows")),
        }
    }

    fn parse(value: Value<'_>) -> Result<Option<Self>, FieldErrors> {
        let typed = value.trimmed(1..=TYPED_LENGTH_MAX)?;
        let plain = typed.chars().filter(|c| !matches!(c, ' ' | '-'));
        let plain = plain.collect::<String>().to_ascii_uppercase();
        let base32 = |b: u8| b.is_ascii_uppercase() || BASE32_DIGITS.contains(&b);
        Ok(match plain.len() {
            CODE_DIGITS if plain.bytes().all(|b| b.is_ascii_digit()) => Some(Self::Code(plain)),
            RECOVERY_CODE_LENGTH if plain.bytes().all(base32) => Some(Self::RecoveryCode(plain)),
            _ => None,
        })
    }
}

impl FromInput for Otp {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let refused =
            || FieldErrors::new("must be the 6 digits that the app shows, or a recovery code");
        Self::parse(value)?.ok_or_else(refused)
    }
}

impl fmt::Debug for Otp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Otp(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Otp> {
        Otp::from_input(Value::Text(text)).ok()
    }

    #[test]
    fn a_code_is_parsed_however_it_is_spaced() {
        for text in ["123456", " 123 456 ", "123-456"] {
            assert!(read(text) == Some(Otp::Code("123456".into())), "{text}");
        }
        let code = Some(Otp::RecoveryCode("ABCDEFGH234567AZ".into()));
        for text in [
            "ABCD-EFGH-2345-67AZ",
            "abcd efgh 2345 67az",
            "ABCDEFGH234567AZ",
        ] {
            assert!(read(text) == code, "{text}");
        }
        for text in [
            "",
            " ",
            "12345",
            "1234567",
            "12345a",
            "１２３４５６",
            "ABCD-EFGH-2345-67A1",
            "ABCD-EFGH-2345-67A",
            &"1 ".repeat(30),
        ] {
            assert!(read(text).is_none(), "{text}");
        }
        assert!(Otp::code(Value::Text("ABCD-EFGH-2345-67AZ")).is_err());
        assert!(!format!("{:?}", read("123456")).contains("123456"));
    }

    #[test]
    fn an_enrolment_expires_after_an_hour_unless_confirmed() {
        let at = |minutes| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        let pending = SecondFactor::pending("x".into(), at(0));
        assert!(pending.is_pending(at(59)) && !pending.is_pending(at(60)));
        let confirmed = SecondFactor {
            confirmed_at: Some(at(1)),
            last_time_step: 7,
            ..pending
        };
        assert!(confirmed.is_confirmed() && !confirmed.is_pending(at(2)));
        assert_eq!(
            [6, 7, 8].map(|step| confirmed.accepts(step)),
            [false, false, true]
        );
    }
}
