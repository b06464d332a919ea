//! Whether registering reveals that an address is taken.

use std::str::FromStr;

/// How registrations are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// At once: a session, or an error that says the address is taken.
    #[default]
    Open,
    /// Always alike; the mailbox gets the rest.
    Private,
}

#[derive(Debug, thiserror::Error)]
#[error("neither open nor private")]
pub struct RegistrationError;

impl FromStr for Registration {
    type Err = RegistrationError;

    fn from_str(text: &str) -> Result<Self, RegistrationError> {
        match text {
            "open" => Ok(Self::Open),
            "private" => Ok(Self::Private),
            _ => Err(RegistrationError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_setting_is_an_error_and_not_open() {
        assert_eq!(
            "private".parse::<Registration>().unwrap(),
            Registration::Private
        );
        for wrong in ["", "Private", "closed"] {
            assert!(wrong.parse::<Registration>().is_err(), "{wrong}");
        }
    }
}
