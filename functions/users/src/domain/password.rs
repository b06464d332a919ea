//! Passwords: length and strength; `Debug` never shows them.

use std::fmt;

use kernel::input::{FieldErrors, FromInput, Value};
use serde::{Deserialize, Serialize};

use super::password_strength;

/// NIST SP 800-63B requires 8 characters where a second factor is available.
pub const PASSWORD_LENGTH_MIN: usize = 8;
/// Room for any passphrase, and a bound on what is hashed. Longer ones are refused,
/// not truncated.
pub const PASSWORD_LENGTH_MAX: usize = 128;
/// A password as typed: neither trimmed nor truncated.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Refuses a password that is easy to guess for somebody who knows
    /// `known_words` (name, address and shop). There are no rules about character
    /// classes: they make passwords worse (NIST SP 800-63B, section 3.1.1.2).
    ///
    /// # Errors
    /// What is wrong with it, and what would help.
    pub fn require_strong(self, known_words: &[&str]) -> Result<Self, FieldErrors> {
        match password_strength::weakness(&self.0, known_words) {
            None => Ok(self),
            Some(weakness) => Err(FieldErrors::new(weakness.to_string())),
        }
    }

    /// Whether it contains a word, or a part of it.
    pub fn mentions(&self, word: &str) -> bool {
        password_strength::mentions(&self.0, word)
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
        password_strength::warm_up();
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
    fn debug_shows_neither_a_password_nor_its_hash() {
        let password = Password("hidden".into());
        let hash = PasswordHash("hidden".into());
        assert!(!format!("{password:?}{hash:?}").contains("hidden"));
    }
}
