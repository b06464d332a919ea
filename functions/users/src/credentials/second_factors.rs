//! Creating and verifying second factors: TOTP as RFC 6238 and every authenticator app
//! has it (SHA-1, six digits, 30 seconds), and recovery codes. The known attacks on
//! SHA-1 do not break HMAC-SHA-1.

use std::fmt;

use kernel::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use runtime::{Random, SealKey, SealedError, SecretVersions};
use totp_rs::{Algorithm, Builder, SecretParseError, TotpError};

use super::sha256;
use crate::domain::{CODE_DIGITS, Otp, RECOVERY_CODES, SecondFactor, VerifiedFactor};

/// The purpose of the key that seals TOTP secrets.
const PURPOSE: &str = "totp";
/// 160 bits (RFC 4226, section 4, R6).
const SECRET_BYTES: usize = 20;
/// 80 bits: even somebody with the hashes finds no code by brute force, which is
/// why one pass of SHA-256 without salt is enough.
const RECOVERY_BYTES: usize = 10;
/// Characters between two hyphens of a recovery code.
const RECOVERY_GROUP: usize = 4;
const TIME_STEP_SECONDS: u64 = 30;
/// Time steps by which the clock of a device may be off, in either direction
/// (RFC 6238, section 5.2, recommends one).
const TIME_STEPS_OFF: u16 = 1;
/// All but the unreserved characters of a URI (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A second factor could not be created or verified, through no fault of its owner.
#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    /// The secret was sealed two rotations ago or more, or has been changed.
    #[error("open the secret of a second factor")]
    Sealed(#[source] SealedError),
    #[error("parse the secret of a second factor")]
    Unreadable(#[source] SecretParseError),
    #[error("use the secret of a second factor")]
    Unusable(#[source] TotpError),
}

/// The secret that an authenticator app shares with the shop.
pub struct TotpSecret(totp_rs::Secret);

impl TotpSecret {
    /// The secret as people type it, in base32.
    pub fn reveal(&self) -> String {
        self.0.to_base32()
    }

    /// The secret as apps scan it (the Key URI Format of Google Authenticator).
    pub fn uri(&self, issuer: &str, account: &str) -> String {
        let encode = |text| utf8_percent_encode(text, ENCODED);
        let (issuer, account) = (encode(issuer), encode(account));
        let secret = self.reveal();
        format!(
            "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}\
             &algorithm=SHA1&digits={CODE_DIGITS}&period={TIME_STEP_SECONDS}"
        )
    }

    /// The time step of a code, if it is one around `now`.
    fn time_step_of(&self, code: &str, now: Timestamp) -> Result<Option<u64>, FactorError> {
        let totp = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_step_duration(TIME_STEP_SECONDS)
            .with_skew(TIME_STEPS_OFF)
            .with_secret(self.0.clone())
            .build()
            .map_err(FactorError::Unusable)?;
        // `totp_rs` compares with each time step in constant time.
        let now = u64::try_from(now.as_second()).unwrap_or_default();
        Ok(totp.check(code, now))
    }
}

/// A single-use code for when the app is lost.
#[derive(Clone)]
pub struct RecoveryCode(String);

impl RecoveryCode {
    fn generate_all(random: &Random) -> Vec<Self> {
        let generate = |_| {
            let bytes = random.bytes::<RECOVERY_BYTES>().to_vec();
            Self(totp_rs::Secret::from(bytes).to_base32())
        };
        (0..RECOVERY_CODES).map(generate).collect()
    }

    /// The hash that is stored.
    pub fn hash(&self) -> String {
        sha256(&self.0)
    }

    /// The code as it is shown, in groups.
    pub fn reveal(&self) -> String {
        let characters: Vec<char> = self.0.chars().collect();
        let groups = characters.chunks(RECOVERY_GROUP);
        let groups: Vec<String> = groups.map(|group| group.iter().collect()).collect();
        groups.join("-")
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

/// Creates and verifies second factors; their secrets are stored sealed.
pub struct SecondFactors {
    key: SealKey,
    random: Random,
}

impl SecondFactors {
    pub fn new(secret: SecretVersions, random: &Random) -> Self {
        Self {
            key: SealKey::new(secret, PURPOSE, random.clone()),
            random: random.clone(),
        }
    }

    /// A new factor that waits for its first code, with the secret for the app.
    ///
    /// # Errors
    /// When the secret cannot be sealed.
    pub fn enroll(&self, now: Timestamp) -> Result<(TotpSecret, SecondFactor), FactorError> {
        let bytes = self.random.bytes::<SECRET_BYTES>().to_vec();
        let secret = TotpSecret(totp_rs::Secret::from(bytes));
        let sealed = self.key.seal(&secret.reveal());
        let sealed = sealed.map_err(FactorError::Sealed)?;
        Ok((secret, SecondFactor::pending(sealed, now)))
    }

    /// Verifies a code; `None` when it is wrong or was used before.
    ///
    /// # Errors
    /// When the secret of the factor cannot be opened.
    pub fn verify(
        &self,
        factor: &SecondFactor,
        otp: &Otp,
        now: Timestamp,
    ) -> Result<Option<VerifiedFactor>, FactorError> {
        let code = match otp {
            Otp::Code(code) => code,
            Otp::RecoveryCode(code) => {
                let hash = sha256(code);
                let known = factor.has_recovery_code(&hash);
                return Ok(known.then_some(VerifiedFactor::RecoveryCode { hash }));
            }
        };
        let secret = self.key.open(&factor.sealed_secret);
        let secret = secret.map_err(FactorError::Sealed)?;
        let parsed = totp_rs::Secret::try_from_base32(&secret);
        let parsed = TotpSecret(parsed.map_err(FactorError::Unreadable)?);
        let time_step = parsed.time_step_of(code, now)?;
        let Some(time_step) = time_step.filter(|step| factor.accepts(*step)) else {
            return Ok(None);
        };
        // With the current key, so that a factor in use survives every rotation.
        let resealed = self.key.seal(&secret).map_err(FactorError::Sealed)?;
        Ok(Some(VerifiedFactor::Totp {
            time_step,
            resealed,
        }))
    }

    /// New recovery codes, to be shown once.
    pub fn recovery_codes(&self) -> Vec<RecoveryCode> {
        RecoveryCode::generate_all(&self.random)
    }
}

#[cfg(test)]
mod tests {
    use kernel::SignedDuration;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn versions(current: &str, previous: Option<&str>) -> SecretVersions {
        SecretVersions {
            current: current.into(),
            previous: previous.map(str::to_owned),
        }
    }

    fn factors(secret: SecretVersions) -> SecondFactors {
        SecondFactors::new(secret, &Random::system())
    }

    /// A factor with the secret of RFC 6238, appendix B.
    fn rfc_factor(factors: &SecondFactors) -> SecondFactor {
        let secret = totp_rs::Secret::from(b"12345678901234567890".to_vec());
        let sealed = factors.key.seal(&secret.to_base32()).unwrap();
        SecondFactor::pending(sealed, at(0))
    }

    fn time_step(verified: Option<VerifiedFactor>) -> Option<u64> {
        match verified {
            Some(VerifiedFactor::Totp { time_step, .. }) => Some(time_step),
            _ => None,
        }
    }

    /// The last six of the eight digits in appendix B.
    const VECTORS: [(i64, &str); 6] = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];

    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        let factors = factors(versions("one", None));
        let factor = rfc_factor(&factors);
        for (second, code) in VECTORS {
            let otp = Otp::Code(code.into());
            let verified = factors.verify(&factor, &otp, at(second)).unwrap();
            let expected = u64::try_from(second).unwrap() / 30;
            assert_eq!(time_step(verified), Some(expected), "{code}");
        }
    }

    #[test]
    fn a_code_is_valid_one_time_step_around_its_own() {
        let factors = factors(versions("one", None));
        let factor = rfc_factor(&factors);
        // Its own time step is 1,234,567,890 to 1,234,567,919.
        let valid = |second| {
            let otp = Otp::Code("005924".into());
            factors.verify(&factor, &otp, at(second)).unwrap().is_some()
        };
        let begins = 1_234_567_890;
        assert!(!valid(begins - 31) && valid(begins - 30));
        assert!(valid(begins + 59) && !valid(begins + 60));
    }

    #[test]
    fn a_used_time_step_and_all_before_it_are_rejected() {
        let factors = factors(versions("one", None));
        let otp = Otp::Code("005924".into());
        let used = |last_time_step| SecondFactor {
            last_time_step,
            ..rfc_factor(&factors)
        };
        let now = at(1_234_567_890);
        let current = 1_234_567_890 / 30;
        let valid = |last_time_step| {
            factors
                .verify(&used(last_time_step), &otp, now)
                .unwrap()
                .is_some()
        };
        assert!(valid(current - 1) && !valid(current) && !valid(current + 1));
    }

    #[test]
    fn a_secret_opens_after_one_rotation_and_is_resealed_with_the_new_key() {
        let old = factors(versions("one", None));
        let factor = rfc_factor(&old);
        let otp = Otp::Code("005924".into());
        let now = at(1_234_567_890);
        let rotated = factors(versions("two", Some("one")));
        let Some(VerifiedFactor::Totp { resealed, .. }) =
            rotated.verify(&factor, &otp, now).unwrap()
        else {
            panic!("a code");
        };
        let twice = factors(versions("three", Some("two")));
        let lost = twice.verify(&factor, &otp, now);
        assert!(matches!(lost, Err(FactorError::Sealed(_))));
        let kept = SecondFactor {
            sealed_secret: resealed,
            ..factor
        };
        assert!(twice.verify(&kept, &otp, now).unwrap().is_some());
    }

    #[test]
    fn an_enrolled_secret_has_160_bits_and_a_uri_for_apps() {
        let factors = factors(versions("one", None));
        let (secret, factor) = factors.enroll(at(0)).unwrap();
        let text = secret.reveal();
        assert_eq!(text.len(), 32, "160 bits in base32, with no padding");
        assert!(!factor.sealed_secret.contains(&text));
        assert_eq!(
            secret.uri("Ada's & Co", "a+b@example.com"),
            format!(
                "otpauth://totp/Ada%27s%20%26%20Co:a%2Bb%40example.com?secret={text}\
                 &issuer=Ada%27s%20%26%20Co&algorithm=SHA1&digits=6&period=30"
            )
        );
        assert!(text != factors.enroll(at(0)).unwrap().0.reveal());
        assert!(factor.is_pending(at(0) + SignedDuration::from_mins(59)));
    }

    #[test]
    fn there_are_ten_different_recovery_codes_that_match_by_their_hashes() {
        use kernel::input::{FromInput, Value};
        let factors = factors(versions("one", None));
        let codes = factors.recovery_codes();
        let factor = SecondFactor {
            recovery_hashes: codes.iter().map(RecoveryCode::hash).collect(),
            ..rfc_factor(&factors)
        };
        let mut hashes = factor.recovery_hashes.clone();
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), 10);
        for code in &codes {
            let typed = code.reveal().to_lowercase();
            assert_eq!(typed.len(), 19, "four groups of four");
            let otp = Otp::from_input(Value::Text(&typed)).unwrap();
            let verified = factors.verify(&factor, &otp, at(0)).unwrap();
            let hash = code.hash();
            assert!(verified == Some(VerifiedFactor::RecoveryCode { hash }));
        }
        let other = Otp::RecoveryCode("A".repeat(16));
        assert!(factors.verify(&factor, &other, at(0)).unwrap().is_none());
        assert!(!format!("{codes:?}").contains(&codes[0].0));
    }
}
