//! The second factor of a log-in: codes of an authenticator app (TOTP,
//! RFC 6238), and recovery codes for when the app is lost.

use std::fmt;

use kernel::{
    SignedDuration, Timestamp,
    input::{FromInput, FieldErrors, Value},
};
use serde::{Deserialize, Serialize};

/// Digits of a code (RFC 6238; what every app shows).
pub const CODE_DIGITS: usize = 6;
/// Characters of a recovery code: 80 bits in base32.
pub const RECOVERY_CODE_LENGTH: usize = 16;
/// Recovery codes that a person is given.
pub const RECOVERY_CODES: usize = 10;
/// How long an enrolment waits for its first code.
pub const ENROLMENT_LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// Characters of a code as people write it, with room for spaces and hyphens.
const TYPED_LENGTH_MAX: usize = 40;
/// The alphabet of base32 (RFC 4648, 6), after `A` to `Z`.
const BASE32_DIGITS: std::ops::RangeInclusive<u8> = b'2'..=b'7';

/// A person's second factor, as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct SecondFactor {
    /// What the app has, sealed.
    pub sealed_secret: String,
    /// When the person was given it.
    pub enrolled_at: Timestamp,
    /// Since when logging in takes it: it was shown once by then. Until then
    /// it is no more than an offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// The step of the last code that was used; it and those before are used up.
    #[serde(default)]
    pub last_step: u64,
    /// SHA-256 of each recovery code that was not used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recovery_hashes: Vec<String>,
}

impl SecondFactor {
    /// A factor that was offered, and not confirmed yet.
    pub fn offered(sealed_secret: String, now: Timestamp) -> Self {
        Self {
            sealed_secret,
            enrolled_at: now,
            confirmed_at: None,
            last_step: 0,
            recovery_hashes: Vec::new(),
        }
    }

    /// Whether logging in takes it.
    pub fn is_on(&self) -> bool {
        self.confirmed_at.is_some()
    }

    /// Whether it waits for its first code.
    pub fn is_offered(&self, now: Timestamp) -> bool {
        !self.is_on() && now < self.offered_until()
    }

    /// Until when it may be confirmed.
    pub fn offered_until(&self) -> Timestamp {
        let until = self.enrolled_at.saturating_add(ENROLMENT_LIFETIME);
        until.unwrap_or(self.enrolled_at)
    }

    /// Whether the code of a step was not used, and none after it.
    pub fn allows(&self, step: u64) -> bool {
        step > self.last_step
    }

    /// Whether there is a recovery code with this hash.
    pub fn has_recovery_code(&self, hash: &str) -> bool {
        self.recovery_hashes.iter().any(|kept| kept == hash)
    }
}

impl fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecondFactor(…)")
    }
}

/// What a person has shown of a second factor; good for one use.
#[derive(Clone, PartialEq, Eq)]
pub enum Shown {
    /// The code of a step.
    Code {
        /// Which step.
        step: u64,
        /// The secret again, sealed with the key of now.
        resealed: String,
    },
    /// A recovery code.
    RecoveryCode {
        /// Its SHA-256.
        hash: String,
    },
}

/// What a person has typed, in the form in which it can be compared. It does
/// not show itself.
#[derive(Clone, PartialEq, Eq)]
pub enum Otp {
    /// Six digits from the app.
    Code(String),
    /// A recovery code, without its hyphens.
    RecoveryCode(String),
}

impl Otp {
    /// Reads a code of the app and nothing else.
    ///
    /// # Errors
    /// When it is not six digits.
    pub fn code(value: Value<'_>) -> Result<Self, FieldErrors> {
        match Self::of(value)? {
            Some(code @ Self::Code(_)) => Ok(code),
            _ => Err(FieldErrors::new("must be the 6 digits that the app shows")),
        }
    }

    fn of(value: Value<'_>) -> Result<Option<Self>, FieldErrors> {
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
        Self::of(value)?.ok_or_else(refused)
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
    fn a_code_is_read_however_it_is_spaced() {
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
    fn an_offer_waits_an_hour_and_what_is_on_stays() {
        let at = |minutes| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        let offered = SecondFactor::offered("x".into(), at(0));
        assert!(offered.is_offered(at(59)) && !offered.is_offered(at(60)));
        let on = SecondFactor {
            confirmed_at: Some(at(1)),
            last_step: 7,
            ..offered
        };
        assert!(on.is_on() && !on.is_offered(at(2)));
        assert_eq!([6, 7, 8].map(|step| on.allows(step)), [false, false, true]);
    }
}
