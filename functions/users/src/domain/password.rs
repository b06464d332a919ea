//! Passwords: length and strength; `Debug` never shows them.

use std::{collections::HashSet, fmt, sync::LazyLock};

use kernel::input::{FieldErrors, FromInput, Value};
use serde::{Deserialize, Serialize};
use zxcvbn::{Score, zxcvbn};

/// NIST SP 800-63B requires 8 characters where a second factor is available.
pub const PASSWORD_LENGTH_MIN: usize = 8;
/// Room for any passphrase, and a bound on what is hashed. Longer ones are refused,
/// not truncated.
pub const PASSWORD_LENGTH_MAX: usize = 128;
/// Characters of a password's beginning and of its end that are judged. The work grows
/// faster than the length (128 characters took seven times as long as a hash), and a
/// password of which a part is hard to guess is hard to guess.
const JUDGED_LENGTH: usize = 32;
/// Words about the person that are looked for.
const KNOWN_WORDS_MAX: usize = 32;
/// "Safely unguessable": over 10⁸ guesses.
const SCORE_MIN: Score = Score::Three;

/// About 8,000 common passwords from breaches (the file names its source).
/// [`zxcvbn`] has its own list; a password on either is refused.
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let lines = include_str!("common-passwords.txt").lines();
    lines.filter(|line| !line.starts_with("# ")).collect()
});

/// A password as typed: neither trimmed nor truncated.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Refuses a password that is easy to guess for somebody who knows
    /// `known_words` (name and address). There are no rules about character
    /// classes: they make passwords worse (NIST SP 800-63B, section 3.1.1.2).
    ///
    /// # Errors
    /// What is wrong with it, and what would help.
    pub fn require_strong(self, known_words: &[&str]) -> Result<Self, FieldErrors> {
        if COMMON.contains(&*self.0.to_lowercase()) {
            let message = "is too easy to guess. It is on lists of common passwords.";
            return Err(FieldErrors::new(message));
        }
        let known_words: Vec<_> = known_words
            .iter()
            .take(KNOWN_WORDS_MAX)
            .map(|word| first_characters(word))
            .collect();
        let (first, last) = self.judged_parts();
        let estimate = zxcvbn(first, &known_words);
        let is_strong = estimate.score() >= SCORE_MIN
            || last.is_some_and(|last| zxcvbn(last, &known_words).score() >= SCORE_MIN);
        if is_strong {
            return Ok(self);
        }
        let mut message = "is too easy to guess.".to_owned();
        if let Some(feedback) = estimate.feedback() {
            let warning = feedback.warning().map(|warning| warning.to_string());
            let suggestions = feedback.suggestions().iter().map(ToString::to_string);
            for sentence in warning.into_iter().chain(suggestions) {
                message.push(' ');
                message.push_str(&sentence);
            }
        }
        Err(FieldErrors::new(message))
    }

    /// The beginning and, of a long password, the end.
    fn judged_parts(&self) -> (&str, Option<&str>) {
        let text = self.0.as_str();
        let first = first_characters(text);
        let end = text.char_indices().rev().nth(JUDGED_LENGTH - 1);
        let last = end.map(|(at, _)| &text[at..]);
        (first, last.filter(|last| last.len() < text.len()))
    }

    /// The same for a password of an input that was parsed before the account was
    /// read: the errors name the field.
    ///
    /// # Errors
    /// What is wrong with it, and what would help.
    pub fn require_strong_at(self, field: &str, known_words: &[&str]) -> Result<Self, FieldErrors> {
        self.require_strong(known_words).map_err(|mut errors| {
            for error in &mut errors.0 {
                field.clone_into(&mut error.field);
            }
            errors
        })
    }

    /// Reads the word lists of [`Self::require_strong`], once.
    pub fn warm_up() {
        let _ = zxcvbn("correct horse", &[]);
        LazyLock::force(&COMMON);
    }

    /// Parses a password that is compared, not stored: its strength does not matter.
    ///
    /// # Errors
    /// When it is not a string, empty, or too long.
    pub fn attempt(value: Value<'_>) -> Result<Self, FieldErrors> {
        Self::parse(value, 1)
    }

    fn parse(value: Value<'_>, least: usize) -> Result<Self, FieldErrors> {
        let text = value.text()?.into_owned();
        if (least..=PASSWORD_LENGTH_MAX).contains(&text.chars().count()) {
            Ok(Self(text))
        } else {
            Err(FieldErrors::new(format!(
                "must have {least} to {PASSWORD_LENGTH_MAX} characters"
            )))
        }
    }
}

fn first_characters(text: &str) -> &str {
    let end = text.char_indices().nth(JUDGED_LENGTH);
    end.map_or(text, |(at, _)| &text[..at])
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl FromInput for Password {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        Self::parse(value, PASSWORD_LENGTH_MIN)
    }
}

/// A password's hash, in the PHC string format.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(pub(crate) String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, about: &[&str]) -> Result<(), String> {
        let password = Password::from_input(Value::Text(text));
        match password.and_then(|password| password.require_strong(about)) {
            Ok(_) => Ok(()),
            Err(errors) => Err(errors.0[0].message.clone()),
        }
    }

    #[test]
    fn length_is_counted_in_characters_and_nothing_is_truncated() {
        let bounds = "must have 8 to 128 characters";
        assert_eq!(check("ŝŭĉĥĵ1!", &[]), Err(bounds.into()));
        assert_eq!(check(&"q!7ü".repeat(33), &[]), Err(bounds.into()));
        let long: String = "wx4ü".repeat(32);
        let password = Password::from_input(Value::Text(&long)).unwrap();
        assert_eq!(password.as_bytes(), long.as_bytes());
        let spaced = Password::from_input(Value::Text("  spaces stay  ")).unwrap();
        assert_eq!(spaced.as_bytes(), b"  spaces stay  ");
    }

    #[test]
    fn a_password_must_be_hard_to_guess_for_somebody_who_knows_the_person() {
        assert_eq!(check("correct horse battery staple", &[]), Ok(()));
        assert_eq!(check("vK9#mTq2$xLw", &[]), Ok(()));
        for common in ["password", "password1", "qwertyuiop", "aaaaaaaaaaaa"] {
            let message = check(common, &[]).unwrap_err();
            assert!(message.starts_with("is too easy to guess."), "{message}");
        }
        let personal = "zwlrakovic7";
        assert_eq!(check(personal, &[]), Ok(()));
        assert!(check(personal, &["Zwlrakovic"]).is_err());
    }

    #[test]
    fn a_long_password_is_judged_by_its_beginning_and_its_end() {
        let parts = |text: &str| {
            let password = Password(text.to_owned());
            let (first, last) = password.judged_parts();
            (first.to_owned(), last.map(str::to_owned))
        };
        let short = "ü".repeat(JUDGED_LENGTH);
        assert_eq!(parts(&short), (short.clone(), None));
        let long = format!("{short}{}", "x".repeat(96));
        assert_eq!(parts(&long), (short, Some("x".repeat(JUDGED_LENGTH))));

        let repeated = "a".repeat(PASSWORD_LENGTH_MAX);
        assert!(check(&repeated, &[]).is_err());
        for hard in ["vK9#mTq2$xLw", "correct horse battery staple"] {
            let rest = "a".repeat(PASSWORD_LENGTH_MAX - hard.len());
            assert_eq!(check(&format!("{hard}{rest}"), &[]), Ok(()));
            assert_eq!(check(&format!("{rest}{hard}"), &[]), Ok(()));
        }
        for weak in [
            "Abcdefg1!",
            "aaaaaaaaaaaaaaaaaaaaaaaaab1!",
            "abcabcabcabcabc",
        ] {
            assert!(check(weak, &[]).is_err(), "{weak}");
        }
    }

    #[test]
    fn a_common_password_is_refused_in_any_case() {
        assert!((8_000..9_000).contains(&COMMON.len()), "{}", COMMON.len());
        for common in COMMON.iter() {
            let message = check(common, &[]).unwrap_err();
            assert!(
                message.starts_with("is too easy to guess."),
                "{common}: {message}"
            );
        }
        let message = check("1Q2w3E4r5T", &[]).unwrap_err();
        assert!(message.contains("lists of common passwords"), "{message}");
    }

    #[test]
    fn debug_shows_neither_a_password_nor_its_hash() {
        let password = Password("hidden".into());
        let hash = PasswordHash("hidden".into());
        assert!(!format!("{password:?}{hash:?}").contains("hidden"));
    }
}
