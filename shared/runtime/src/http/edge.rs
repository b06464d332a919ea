//! The edge: a CDN in front of the API, which alone may send requests and say
//! where they come from.
//!
//! API Gateway cannot be reached through the CDN only, so the CDN proves itself
//! with a key in every request. Functions know hashes of the keys, because
//! anybody who may read their configuration can read those.

use std::sync::Arc;

use http::{HeaderMap, request::Parts};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::{ApiError, SourceIp};
use crate::{Environment, EnvironmentError};

const VARIABLE: &str = "EDGE_KEY_HASHES";
const KEY_HEADER: &str = "x-edge-key";
/// The CDN replaces what a client writes into it.
const CLIENT_HEADER: &str = "true-client-ip";

/// The edge that requests have to come through, if there is one.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The key, and during a rotation also the next one. Empty without an edge.
    key_hashes: Arc<[[u8; 32]]>,
}

impl Edge {
    /// Reads `EDGE_KEY_HASHES`: SHA-256 in lower-case hexadecimal, separated by
    /// commas. If it is not set, there is no edge.
    ///
    /// # Errors
    /// When anything in it is not a hash: ignoring one would either lock everybody
    /// out or, if it is the only one, let everybody past the edge.
    pub fn from_environment(environment: &Environment) -> Result<Self, EnvironmentError> {
        let listed = environment.get(VARIABLE).map(|text| text.split(','));
        let hashes: Option<Arc<_>> = listed.into_iter().flatten().map(parse_hash).collect();
        let key_hashes = hashes.ok_or_else(|| EnvironmentError::Unreadable {
            name: VARIABLE.to_owned(),
            expected: "a comma-separated list of SHA-256 hashes in lower-case hexadecimal",
        })?;
        Ok(Self { key_hashes })
    }

    /// Whether a request with these headers may be answered; `header` finds one by
    /// its name in lower case. Takes the same time for every wrong key.
    pub fn is_passed<'a>(&self, header: impl FnOnce(&str) -> Option<&'a str>) -> bool {
        if self.key_hashes.is_empty() {
            return true;
        }
        let Some(key) = header(KEY_HEADER) else {
            return false;
        };
        let offered: [u8; 32] = Sha256::digest(key).into();
        let hashes = self.key_hashes.iter();
        hashes
            .fold(Choice::from(0), |any, hash| any | hash.ct_eq(&offered))
            .into()
    }

    /// The client's address, if the request may be answered. Removes the headers
    /// of the edge, so that no handler shows the key or trusts an address.
    pub(super) fn admit(&self, parts: &mut Parts) -> Result<SourceIp, ApiError> {
        let is_passed = self.is_passed(|name| single(&parts.headers, name));
        parts.headers.remove(KEY_HEADER);
        let client = single(&parts.headers, CLIENT_HEADER).and_then(|text| text.parse().ok());
        parts.headers.remove(CLIENT_HEADER);
        if !is_passed {
            return Err(ApiError::edge_required());
        }
        if self.key_hashes.is_empty() {
            return Ok(SourceIp::of_gateway(parts));
        }
        if client.is_none() {
            tracing::error!("the edge sent no readable client address");
        }
        // Not API Gateway's: that is the CDN's own, which everybody shares.
        Ok(SourceIp(client))
    }
}

/// A header that was sent once.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok()
}

fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
    let hash: [u8; 32] = bytes.try_into().ok().filter(|_| rest.is_empty())?;
    // Of an empty key: a script whose variable was not set. Anybody has that key.
    (hash != <[u8; 32]>::from(Sha256::digest(""))).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of "abc" and of the empty text (FIPS 180-2).
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn edge(hashes: &str) -> Result<Edge, EnvironmentError> {
        Edge::from_environment(&Environment::from_iter([(VARIABLE, hashes)]))
    }

    #[test]
    fn either_of_two_keys_passes_and_nothing_else() {
        let edge = edge(&format!("{ABC},{}", "0".repeat(64))).unwrap();
        assert!(edge.is_passed(|name| (name == KEY_HEADER).then_some("abc")));
        for key in [None, Some(""), Some("ABC"), Some("abc,abc"), Some(ABC)] {
            assert!(!edge.is_passed(|_| key), "{key:?}");
        }
        assert!(
            Edge::from_environment(&Environment::default())
                .unwrap()
                .is_passed(|_| None)
        );
    }

    #[test]
    fn anything_but_hashes_is_refused_with_the_name_of_the_variable() {
        let upper = ABC.to_uppercase();
        let long = format!("{ABC}0");
        let other = "0".repeat(64);
        let spaced = format!("{ABC}, {other}");
        let of_nothing = format!("{ABC},{EMPTY}");
        let trailing = format!("{ABC},");
        for hashes in [
            "x",
            &ABC[1..],
            &ABC[2..],
            &upper,
            &long,
            &spaced,
            &trailing,
            &of_nothing,
        ] {
            let refused = edge(hashes).unwrap_err().to_string();
            assert!(refused.contains(VARIABLE), "{hashes}: {refused}");
        }
    }
}
