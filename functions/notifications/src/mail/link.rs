//! Links in emails.

use std::fmt::Write;

/// The public address of the shop, such as `https://shop.example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must begin with https:// or http:// and contain only characters of a URL without a query")]
pub struct PublicUrlError;

impl std::str::FromStr for PublicUrl {
    type Err = PublicUrlError;

    /// Accepts only characters that need no escaping in HTML or plain text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .ok_or(PublicUrlError)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&b);
        if rest.is_empty() || rest.starts_with('/') || !rest.bytes().all(plain) {
            return Err(PublicUrlError);
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl PublicUrl {
    pub fn verify_email(&self, token: &str) -> String {
        format!("{}/verify-email?token={}", self.0, percent_encoded(token))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn reset_password(&self, token: &str) -> String {
        format!("{}/reset-password?token={}", self.0, percent_encoded(token))
    }
}

/// Encodes all but the unreserved characters (RFC 3986, section 2.3).
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut encoded, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                encoded.push(char::from(byte));
            } else {
                // Writing to a string cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
            encoded
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_encoded_in_the_link() {
        let url: PublicUrl = "https://shop.example/".parse().unwrap();
        assert_eq!(
            url.verify_email("a+b/c=&x=1#\"<é"),
            "https://shop.example/verify-email?token=a%2Bb%2Fc%3D%26x%3D1%23%22%3C%C3%A9"
        );
        assert_eq!(
            url.verify_email("aZ09-._~"),
            "https://shop.example/verify-email?token=aZ09-._~"
        );
    }

    #[test]
    fn only_a_plain_url_is_accepted() {
        for valid in [
            "http://localhost:3000",
            "https://a.example/shop",
            "http://[::1]:80",
        ] {
            assert!(valid.parse::<PublicUrl>().is_ok(), "{valid}");
        }
        for invalid in [
            "",
            "shop.example",
            "ftp://shop.example",
            "https://",
            "https:///x",
            "javascript:alert(1)",
            "https://a\"b",
            "https://a?b",
            "https://a b",
            "https://a<b",
        ] {
            assert_eq!(
                invalid.parse::<PublicUrl>(),
                Err(PublicUrlError),
                "{invalid}"
            );
        }
    }
}
