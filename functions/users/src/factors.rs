//! Making and checking second factors: TOTP as RFC 6238 has it and every app
//! knows it (SHA-1, six digits, 30 seconds), and recovery codes. SHA-1 is as
//! good as any here: what breaks it does not break HMAC-SHA-1.

use std::fmt;

use kernel::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use runtime::{SealKey, SealedError, SecretVersions};
use totp_rs::{Algorithm, Builder, SecretParseError, TotpError};

use crate::{
    domain::{CODE_DIGITS, Otp, RECOVERY_CODES, SecondFactor, Shown},
    tokens::{RandomError, sha256},
};

/// What the secrets of apps are sealed for.
const PURPOSE: &str = "totp";
/// Bytes of a secret: 160 bits (RFC 4226, section 4, R6).
const SECRET_BYTES: usize = 20;
/// Bytes of a recovery code: 80 bits, so that not even whoever has the table,
/// and so the hashes, finds one by trying. That is why one pass of SHA-256
/// without salt is enough for them.
const RECOVERY_BYTES: usize = 10;
/// Characters between two hyphens of a recovery code.
const RECOVERY_GROUP: usize = 4;
/// Seconds for which a code is shown.
const STEP_SECONDS: u64 = 30;
/// Steps by which a device's clock may be wrong, in either direction
/// (RFC 6238, section 5.2, recommends one).
const STEPS_OFF: u16 = 1;
/// What a URI need not encode (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A second factor could not be made or checked: no fault of who has it.
#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    /// The system has no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The secret was sealed with a key that is two rotations old, or changed.
    #[error("open the secret of a second factor")]
    Sealed(#[source] SealedError),
    /// What was sealed is no secret.
    #[error("read the secret of a second factor")]
    Unreadable(#[source] SecretParseError),
    /// What was sealed is no secret for an app.
    #[error("use the secret of a second factor")]
    Unusable(#[source] TotpError),
}

/// The secret that an app shares with the shop.
pub struct Secret(totp_rs::Secret);

impl Secret {
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
             &algorithm=SHA1&digits={CODE_DIGITS}&period={STEP_SECONDS}"
        )
    }

    /// The step whose code this is, if that is not long ago or yet to come.
    fn step_of(&self, code: &str, now: Timestamp) -> Result<Option<u64>, FactorError> {
        let totp = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_step_duration(STEP_SECONDS)
            .with_skew(STEPS_OFF)
            .with_secret(self.0.clone())
            .build()
            .map_err(FactorError::Unusable)?;
        // In constant time for each step (`totp_rs::Token`).
        let now = u64::try_from(now.as_second()).unwrap_or_default();
        Ok(totp.check(code, now))
    }
}

/// A code that is good once, in place of the app's.
#[derive(Clone)]
pub struct RecoveryCode(String);

impl RecoveryCode {
    /// New ones, to be shown once.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate_all() -> Result<Vec<Self>, RandomError> {
        let generate = |_| {
            let random = totp_rs::Secret::from(random::<RECOVERY_BYTES>()?.to_vec());
            Ok(Self(random.to_base32()))
        };
        (0..RECOVERY_CODES).map(generate).collect()
    }

    /// What is kept of it.
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

/// Makes and checks second factors; what apps have is kept sealed.
pub struct Factors {
    key: SealKey,
}

impl Factors {
    /// With the secret that seals.
    pub fn new(secret: SecretVersions) -> Self {
        let key = SealKey::new(secret, PURPOSE);
        Self { key }
    }

    /// A new factor to offer, with its secret for the app.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn offer(&self, now: Timestamp) -> Result<(Secret, SecondFactor), FactorError> {
        let secret = Secret(totp_rs::Secret::from(random::<SECRET_BYTES>()?.to_vec()));
        let sealed = self.key.seal(&secret.reveal());
        let sealed = sealed.map_err(FactorError::Sealed)?;
        Ok((secret, SecondFactor::offered(sealed, now)))
    }

    /// What a person has shown of a factor; `None` when it is wrong or was
    /// used before.
    ///
    /// # Errors
    /// When the factor cannot be opened.
    pub fn shown(
        &self,
        factor: &SecondFactor,
        otp: &Otp,
        now: Timestamp,
    ) -> Result<Option<Shown>, FactorError> {
        let code = match otp {
            Otp::Code(code) => code,
            Otp::RecoveryCode(code) => {
                let hash = sha256(code);
                let known = factor.has_recovery_code(&hash);
                return Ok(known.then_some(Shown::RecoveryCode { hash }));
            }
        };
        let secret = self.key.open(&factor.sealed_secret);
        let secret = secret.map_err(FactorError::Sealed)?;
        let read = totp_rs::Secret::try_from_base32(&secret);
        let read = Secret(read.map_err(FactorError::Unreadable)?);
        let step = read.step_of(code, now)?;
        let Some(step) = step.filter(|step| factor.allows(*step)) else {
            return Ok(None);
        };
        // With the key of now, so that what is used outlives every rotation.
        let resealed = self.key.seal(&secret).map_err(FactorError::Sealed)?;
        Ok(Some(Shown::Code { step, resealed }))
    }
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES], RandomError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|_| RandomError)?;
    Ok(bytes)
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

    /// A factor with the secret of RFC 6238, appendix B.
    fn rfc_factor(factors: &Factors) -> SecondFactor {
        let secret = totp_rs::Secret::from(b"12345678901234567890".to_vec());
        let sealed = factors.key.seal(&secret.to_base32()).unwrap();
        SecondFactor::offered(sealed, at(0))
    }

    fn step(shown: Option<Shown>) -> Option<u64> {
        match shown {
            Some(Shown::Code { step, .. }) => Some(step),
            _ => None,
        }
    }

    /// Appendix B has eight digits; six are the last six of them.
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
        let factors = Factors::new(versions("one", None));
        let factor = rfc_factor(&factors);
        for (second, code) in VECTORS {
            let otp = Otp::Code(code.into());
            let shown = factors.shown(&factor, &otp, at(second)).unwrap();
            let expected = u64::try_from(second).unwrap() / 30;
            assert_eq!(step(shown), Some(expected), "{code}");
        }
    }

    #[test]
    fn a_code_is_good_one_step_around_its_own_and_not_before_or_after() {
        let factors = Factors::new(versions("one", None));
        let factor = rfc_factor(&factors);
        // Its own step is 1,234,567,890 to 1,234,567,919.
        let good = |second| {
            let otp = Otp::Code("005924".into());
            factors.shown(&factor, &otp, at(second)).unwrap().is_some()
        };
        let begins = 1_234_567_890;
        assert!(!good(begins - 31) && good(begins - 30));
        assert!(good(begins + 59) && !good(begins + 60));
    }

    #[test]
    fn a_step_that_was_used_and_every_one_before_it_is_wrong() {
        let factors = Factors::new(versions("one", None));
        let otp = Otp::Code("005924".into());
        let used = |last_step| SecondFactor {
            last_step,
            ..rfc_factor(&factors)
        };
        let now = at(1_234_567_890);
        let this = 1_234_567_890 / 30;
        let good = |last_step| {
            factors
                .shown(&used(last_step), &otp, now)
                .unwrap()
                .is_some()
        };
        assert!(good(this - 1) && !good(this) && !good(this + 1));
    }

    #[test]
    fn a_secret_opens_after_one_rotation_and_is_sealed_with_the_new_key() {
        let old = Factors::new(versions("one", None));
        let factor = rfc_factor(&old);
        let otp = Otp::Code("005924".into());
        let now = at(1_234_567_890);
        let rotated = Factors::new(versions("two", Some("one")));
        let Some(Shown::Code { resealed, .. }) = rotated.shown(&factor, &otp, now).unwrap() else {
            panic!("a code");
        };
        let twice = Factors::new(versions("three", Some("two")));
        let lost = twice.shown(&factor, &otp, now);
        assert!(matches!(lost, Err(FactorError::Sealed(_))));
        let kept = SecondFactor {
            sealed_secret: resealed,
            ..factor
        };
        assert!(twice.shown(&kept, &otp, now).unwrap().is_some());
    }

    #[test]
    fn what_is_offered_is_160_bits_and_apps_can_read_it() {
        let factors = Factors::new(versions("one", None));
        let (secret, factor) = factors.offer(at(0)).unwrap();
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
        assert!(text != factors.offer(at(0)).unwrap().0.reveal());
        assert!(factor.is_offered(at(0) + SignedDuration::from_mins(59)));
    }

    #[test]
    fn recovery_codes_are_ten_all_different_and_only_good_by_their_hash() {
        use kernel::input::{FromInput, Value};
        let factors = Factors::new(versions("one", None));
        let codes = RecoveryCode::generate_all().unwrap();
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
            let shown = factors.shown(&factor, &otp, at(0)).unwrap();
            let hash = code.hash();
            assert!(shown == Some(Shown::RecoveryCode { hash }));
        }
        let other = Otp::RecoveryCode("A".repeat(16));
        assert!(factors.shown(&factor, &other, at(0)).unwrap().is_none());
        assert!(!format!("{codes:?}").contains(&codes[0].0));
    }
}
