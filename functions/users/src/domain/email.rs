//! E-mail addresses, normalised.

use std::fmt;

use email_address::{EmailAddress, Options};
use kernel::input::{FieldErrors, FromInput, Value};
use serde::{Deserialize, Serialize};

/// What fits into an SMTP path (RFC 5321, section 4.5.3.1.3).
pub const EMAIL_LENGTH_MAX: usize = 254;
/// Of a label in a host name (RFC 1035, section 2.3.4).
const LABEL_LENGTH_MAX: usize = 63;

/// A trimmed address in lower case. `Debug` does not show it, to keep it out of logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    pub fn normalise(text: &str) -> String {
        text.trim().to_lowercase()
    }

    /// An address that nobody can have (RFC 2606).
    pub(super) fn placeholder() -> Self {
        Self("nobody@example.invalid".into())
    }

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
    /// Accepts addresses at a public domain that SES documents as deliverable:
    /// 7-bit ASCII, as it does not support SMTPUTF8, with a domain in Punycode
    /// (<https://docs.aws.amazon.com/ses/latest/APIReference/API_Destination.html>).
    /// A quoted local part may contain markup, spaces and a second `@`. The
    /// standards allow it and RFC 5321, section 4.1.2, advises against it; SES
    /// documents nothing about it. Existing accounts are not affected: signing in
    /// and asking for an email only normalise an address.
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        // ASCII is judged before the case is changed: `K` (Kelvin) becomes an ASCII `k`.
        let text = value.trimmed(1..=EMAIL_LENGTH_MAX)?;
        let options = Options::default()
            .with_required_tld()
            .without_domain_literal()
            .without_display_text();
        let is_valid = text.is_ascii()
            && !text.starts_with('"')
            && EmailAddress::parse_with_options(&text, options).is_ok()
            && text.rsplit('@').next().is_some_and(is_public_host);
        if is_valid {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(FieldErrors::new("must be an e-mail address"))
        }
    }
}

/// Whether this is a host name (RFC 1123, section 2.1) with a top-level domain, which is
/// never numeric (RFC 3696, section 2). The grammar of addresses alone accepts domains
/// that cannot be resolved and would be markup elsewhere, such as `example.com?subject=x`.
fn is_public_host(domain: &str) -> bool {
    let is_numeric = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    match domain.rsplit_once('.') {
        Some((_, top_level)) => domain.split('.').all(is_label) && !is_numeric(top_level),
        None => false,
    }
}

fn is_label(label: &str) -> bool {
    (1..=LABEL_LENGTH_MAX).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
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
    fn addresses_are_normalised() {
        let ada = Some("ada+shop@example.com".to_owned());
        assert_eq!(read("ada+shop@example.com"), ada);
        assert_eq!(read("  Ada+Shop@EXAMPLE.com\n"), ada);
        assert_eq!(
            read("ada@xn--exmple-cua.com").as_deref(),
            Some("ada@xn--exmple-cua.com")
        );
        assert_eq!(Some(Email::normalise(" ADA+shop@example.COM ")), ada);
    }

    #[test]
    fn undeliverable_addresses_are_refused() {
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
            "ädä@example.com",
            "\"ada\"@example.com",
            "\"<b>x</b>\"@example.com",
            "\"ada lovelace\"@example.com",
            "\"ada@home\"@example.com",
            "ada.\"b\"@example.com",
            " \"ada\"@example.com",
            &format!("{}@example.com", "a".repeat(65)),
            "ada@example.com\u{0}",
            &long,
        ];
        for text in refused {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn domains_that_are_not_host_names_are_refused() {
        let long = format!("ada@{}.com", "a".repeat(64));
        let refused = [
            "ada@example.com?subject=x",
            "ada@example.com&cc=eve",
            "ada@exam_ple.com",
            "ada@exam'ple.com",
            "ada@example.c+m",
            "ada@1.2.3.4",
            "ada@example.123",
            "ada@-example.com",
            "ada@example-.com",
            "ada@example.-com",
            "ada@example.com-",
            "ada@example.com.",
            "ada@.example.com",
            &long,
            // Kelvin signs, whose lower case is an ASCII letter.
            "ada@\u{212a}elvin.com",
            "\u{212a}elvin@example.com",
        ];
        for text in refused {
            assert_eq!(read(text), None, "{text}");
        }
        for text in [
            "ada@1-2.example.co",
            "ada@9.example.c0m",
            "ada@xn--exmple-cua.xn--p1ai",
            "ada@a.b",
        ] {
            assert_eq!(read(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn debug_does_not_show_the_address() {
        let email = Email("ada@example.com".into());
        assert!(!format!("{email:?}").contains("ada"));
    }
}
