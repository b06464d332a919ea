//! Links in mails.

use std::fmt::Write;

/// Where people find the shop: `https://shop.example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

/// A text is not the address of a shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must begin with https:// or http:// and have only characters of a URL without a query")]
pub struct PublicUrlError;

impl std::str::FromStr for PublicUrl {
    type Err = PublicUrlError;

    /// Takes what can stand in HTML and in text as it is, so that a link that
    /// begins with it needs no escaping.
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
    /// Where a token proves an address.
    pub fn verify_email(&self, token: &str) -> String {
        format!("{}/verify-email?token={}", self.0, percent_encoded(token))
    }

    /// Where a token lets a person set a new password.
    pub fn reset_password(&self, token: &str) -> String {
        format!("{}/reset-password?token={}", self.0, percent_encoded(token))
    }
}

/// A text as it may stand in a query (RFC 3986: all but the unreserved
/// characters are encoded).
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut encoded, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                encoded.push(char::from(byte));
            } else {
                // Writing to a string does not fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
            encoded
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_cannot_leave_its_place_in_the_link() {
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
    fn only_a_plain_url_is_the_shops() {
        for good in [
            "http://localhost:3000",
            "https://a.example/shop",
            "http://[::1]:80",
        ] {
            assert!(good.parse::<PublicUrl>().is_ok(), "{good}");
        }
        for bad in [
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
            assert_eq!(bad.parse::<PublicUrl>(), Err(PublicUrlError), "{bad}");
        }
    }
}
