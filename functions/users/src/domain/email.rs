//! E-mail addresses, in the one form in which they are compared.

use std::fmt;

use email_address::{EmailAddress, Options};
use kernel::input::{FromInput, FieldErrors, Value};
use serde::{Deserialize, Serialize};

/// Characters in an address: what fits into an SMTP path (RFC 5321, 4.5.3.1.3).
pub const EMAIL_LENGTH_MAX: usize = 254;

/// An address to which mail can be sent, trimmed and in lower case. `Debug`
/// does not show it, so that it does not get into a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// The text in the form in which addresses are compared.
    pub fn normalise(text: &str) -> String {
        text.trim().to_lowercase()
    }

    /// An address that nobody has (RFC 2606), for work that is done all the same.
    pub(super) fn nobodys() -> Self {
        Self("nobody@example.invalid".into())
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

impl FromInput for Email {
    /// Takes plain addresses at a domain of the public DNS. Others may be
    /// addresses by the standards, but no mail of ours reaches them: SES takes
    /// ASCII only.
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let text = value.trimmed(1..=EMAIL_LENGTH_MAX)?.to_lowercase();
        let options = Options::default()
            .with_required_tld()
            .without_domain_literal()
            .without_display_text();
        if text.is_ascii() && EmailAddress::parse_with_options(&text, options).is_ok() {
            Ok(Self(text))
        } else {
            Err(FieldErrors::new("must be an e-mail address"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        Email::from_input(Value::Text(text))
            .ok()
            .map(|email| email.0)
    }

    #[test]
    fn one_address_has_one_form() {
        let ada = Some("ada+shop@example.com".to_owned());
        assert_eq!(read("ada+shop@example.com"), ada);
        assert_eq!(read("  Ada+Shop@EXAMPLE.com\n"), ada);
        assert_eq!(Some(Email::normalise(" ADA+shop@example.COM ")), ada);
    }

    #[test]
    fn what_no_mail_reaches_is_refused() {
        let long = format!("{}@example.com", "a".repeat(250));
        let refused = [
            "",
            "ada",
            "ada@",
            "@example.com",
            "ada@localhost",
            "ada@@example.com",
            "ada@example..com",
            "ada b@example.com",
            "Ada <ada@example.com>",
            "ada@[127.0.0.1]",
            "ada@exämple.com",
            "ada@example.com\u{0}",
            &long,
        ];
        for text in refused {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_does_not_show_itself() {
        let email = Email("ada@example.com".into());
        assert!(!format!("{email:?}").contains("ada"));
    }
}
