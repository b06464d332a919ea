//! Passwords: how long, how strong, and never shown.

use std::{collections::HashSet, fmt, sync::LazyLock};

use kernel::input::{FromInput, FieldErrors, Value};
use serde::{Deserialize, Serialize};
use zxcvbn::{Score, zxcvbn};

/// Characters at least (NIST SP 800-63B: 8 where a second factor can be had).
pub const PASSWORD_LENGTH_MIN: usize = 8;
/// Characters at most: room for any passphrase, and a bound on what is hashed.
/// All of them count.
pub const PASSWORD_LENGTH_MAX: usize = 128;
/// What [`zxcvbn`] must say: "safely unguessable", over 10⁸ guesses.
const SCORE_MIN: Score = Score::Three;

/// Passwords that many people have, from breaches: about 8,000 (the file says
/// whose list it is). [`zxcvbn`] has a list of its own; a password that is on
/// either is refused.
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let lines = include_str!("common-passwords.txt").lines();
    lines.filter(|line| !line.starts_with("# ")).collect()
});

/// A password as it was typed: no white space trimmed, nothing cut off.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// The bytes to hash.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Refuses a password that is easy to guess for somebody who knows `about`
    /// (name and address). There are no rules of character classes: they make
    /// passwords worse (NIST SP 800-63B, 3.1.1.2).
    ///
    /// # Errors
    /// What is wrong with it, and what would help.
    pub fn strong(self, about: &[&str]) -> Result<Self, FieldErrors> {
        if COMMON.contains(&*self.0.to_lowercase()) {
            let message = "is too easy to guess. It is on lists of common passwords.";
            return Err(FieldErrors::new(message));
        }
        let entropy = zxcvbn(&self.0, about);
        if entropy.score() >= SCORE_MIN {
            return Ok(self);
        }
        let mut message = "is too easy to guess.".to_owned();
        if let Some(feedback) = entropy.feedback() {
            let warning = feedback.warning().map(|warning| warning.to_string());
            let suggestions = feedback.suggestions().iter().map(ToString::to_string);
            for sentence in warning.into_iter().chain(suggestions) {
                message.push(' ');
                message.push_str(&sentence);
            }
        }
        Err(FieldErrors::new(message))
    }

    /// The same for a password that was read before anything was known of the
    /// person: the refusal names the field.
    ///
    /// # Errors
    /// What is wrong with it, and what would help.
    pub fn strong_at(self, field: &str, about: &[&str]) -> Result<Self, FieldErrors> {
        self.strong(about).map_err(|mut refusals| {
            for refusal in &mut refusals.0 {
                field.clone_into(&mut refusal.field);
            }
            refusals
        })
    }

    /// Reads the word lists that [`Self::strong`] needs, once.
    pub fn warm_up() {
        let _ = zxcvbn("correct horse", &[]);
        LazyLock::force(&COMMON);
    }

    /// Reads a password that is to be compared, not kept: any that is not
    /// empty and could have been kept.
    ///
    /// # Errors
    /// When it is not a string, empty, or too long.
    pub fn attempt(value: Value<'_>) -> Result<Self, FieldErrors> {
        Self::read(value, 1)
    }

    fn read(value: Value<'_>, least: usize) -> Result<Self, FieldErrors> {
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
        Self::read(value, PASSWORD_LENGTH_MIN)
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

    fn judge(text: &str, about: &[&str]) -> Result<(), String> {
        let password = Password::from_input(Value::Text(text));
        match password.and_then(|password| password.strong(about)) {
            Ok(_) => Ok(()),
            Err(wrong) => Err(wrong.0[0].message.clone()),
        }
    }

    #[test]
    fn length_is_counted_in_characters_and_nothing_is_cut_off() {
        let bounds = "must have 8 to 128 characters";
        assert_eq!(judge("ŝŭĉĥĵ1!", &[]), Err(bounds.into()));
        assert_eq!(judge(&"q!7ü".repeat(33), &[]), Err(bounds.into()));
        let long: String = "wx4ü".repeat(32);
        let password = Password::from_input(Value::Text(&long)).unwrap();
        assert_eq!(password.as_bytes(), long.as_bytes());
        let spaced = Password::from_input(Value::Text("  spaces stay  ")).unwrap();
        assert_eq!(spaced.as_bytes(), b"  spaces stay  ");
    }

    #[test]
    fn a_password_must_be_hard_to_guess_also_for_who_knows_the_person() {
        assert_eq!(judge("correct horse battery staple", &[]), Ok(()));
        assert_eq!(judge("vK9#mTq2$xLw", &[]), Ok(()));
        for common in ["password", "password1", "qwertyuiop", "aaaaaaaaaaaa"] {
            let message = judge(common, &[]).unwrap_err();
            assert!(message.starts_with("is too easy to guess."), "{message}");
        }
        let personal = "zwlrakovic7";
        assert_eq!(judge(personal, &[]), Ok(()));
        assert!(judge(personal, &["Zwlrakovic"]).is_err());
    }

    #[test]
    fn what_many_people_have_is_refused_however_it_is_written() {
        assert!((8_000..9_000).contains(&COMMON.len()), "{}", COMMON.len());
        for common in COMMON.iter() {
            let message = judge(common, &[]).unwrap_err();
            assert!(
                message.starts_with("is too easy to guess."),
                "{common}: {message}"
            );
        }
        let message = judge("1Q2w3E4r5T", &[]).unwrap_err();
        assert!(message.contains("lists of common passwords"), "{message}");
    }

    #[test]
    fn neither_a_password_nor_its_hash_shows_itself() {
        let password = Password("hidden".into());
        let hash = PasswordHash("hidden".into());
        assert!(!format!("{password:?}{hash:?}").contains("hidden"));
    }
}
