//! Names and telephone numbers.

use kernel::input::{FieldErrors, FromInput, Value};
use serde::{Deserialize, Serialize};

/// The longest name in a passport fits, and so does a line of an address label.
const NAME_LENGTH: std::ops::RangeInclusive<usize> = 2..=255;
/// With the country code (ITU-T E.164); no country has fewer than seven digits.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonName(String);

impl PersonName {
    pub(super) fn placeholder() -> Self {
        Self("Nobody".into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromInput for PersonName {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let name = value.trimmed(NAME_LENGTH)?;
        if name.contains(['\n', '\r', '\t']) {
            return Err(FieldErrors::new("must be on one line"));
        }
        Ok(Self(name))
    }
}

/// A telephone number in the form of E.164: `+4930123456`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Phone(String);

impl FromInput for Phone {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let text = value.text()?;
        let text = text.trim();
        let digits = text.strip_prefix('+').unwrap_or_default();
        let fits = PHONE_DIGITS.contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(FieldErrors::new(
                "must be an E.164 number, such as +4930123456",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_has_a_country_code_and_only_digits() {
        let read = |text: &str| Phone::from_input(Value::Text(text)).ok();
        assert_eq!(read(" +4930123456 "), Some(Phone("+4930123456".into())));
        assert!(read("+123456789012345").is_some());
        for text in [
            "",
            "+",
            "+123456",
            "+1234567890123456",
            "004930123456",
            "030123456",
            "+0301234567",
            "+49 30 123456",
            "++4930123456",
            "+4930١23456",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_is_one_line_of_2_to_255_characters() {
        let read = |text: &str| PersonName::from_input(Value::Text(text)).is_ok();
        assert!(read("Li") && read(&"ü".repeat(255)) && read("Ada, Countess of Lovelace"));
        for text in ["", " ", "A", &"a".repeat(256), "Ada\nBcc: x", "Ada\u{7}"] {
            assert!(!read(text), "{text:?}");
        }
    }
}
