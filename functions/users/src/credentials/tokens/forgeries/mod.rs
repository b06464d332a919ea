//! Every kind of forged or malformed token that we could think of is rejected. The
//! tokens are put together by hand, as a forger would.

mod kinds;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD},
};
use kernel::{Principal, Role, SessionId, SignedDuration, Timestamp, UserId};
use proptest::prelude::*;
use ring::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair},
};
use runtime::SecretVersions;
use serde_json::{Value, json};

use super::{ACCESS_LIFETIME, AccessTokens, TokenError};

const SECRET: &str = "a secret of the test with 32 bytes or more";
const OTHER: &str = "another secret of the test, as long as that";
const NOW: i64 = 1_790_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn tokens(current: &str, previous: Option<&str>) -> AccessTokens {
    let secret = SecretVersions {
        current: current.into(),
        previous: previous.map(str::to_owned),
    };
    AccessTokens::new("emporium", &secret).unwrap()
}

fn valid() -> String {
    issue(&tokens(SECRET, None), &principal(Role::User))
}

fn principal(role: Role) -> Principal {
    Principal {
        user_id: testkit::new_id(),
        session_id: testkit::new_id(),
        role,
        withheld: None,
        unverified: false,
    }
}

fn issue(tokens: &AccessTokens, principal: &Principal) -> String {
    tokens.issue(principal, testkit::new_id(), now()).unwrap()
}

/// The key pair that [`SECRET`] gives, derived a second time, independently.
fn pair(secret: &str) -> Ed25519KeyPair {
    let mut seed = [0; 32];
    hkdf::Hkdf::<sha2::Sha256>::new(None, secret.as_bytes())
        .expand(b"emporium/access-token/ed25519", &mut seed)
        .unwrap();
    Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()
}

fn key_id(secret: &str) -> Value {
    tokens(secret, None).key_set()["keys"][0]["kid"].clone()
}

fn header() -> Value {
    json!({"typ": "at+jwt", "alg": "EdDSA", "kid": key_id(SECRET)})
}

fn claims() -> Value {
    json!({
        "iss": "emporium", "aud": "emporium-api", "iat": NOW, "exp": NOW + 600,
        "sub": testkit::new_id::<UserId>(), "sid": testkit::new_id::<SessionId>(), "role": "user",
        "jti": testkit::new_id::<uuid::Uuid>()
    })
}

fn encode(part: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

fn signed_with(secret: &str, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = encode(pair(secret).sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// A token that is signed with our key.
fn signed(header: &Value, claims: &Value) -> String {
    signed_with(SECRET, &header.to_string(), &claims.to_string())
}

/// The JSON with a member added or replaced.
fn with(mut json: Value, name: &str, value: Value) -> Value {
    json[name] = value;
    json
}

fn without(mut json: Value, name: &str) -> Value {
    json.as_object_mut().unwrap().remove(name);
    json
}

fn hmac_signed(algorithm: hmac::Algorithm, header: &Value, key: &[u8]) -> String {
    let message = format!(
        "{}.{}",
        encode(header.to_string()),
        encode(claims().to_string())
    );
    let tag = hmac::sign(&hmac::Key::new(algorithm, key), message.as_bytes());
    format!("{message}.{}", encode(tag))
}

#[test]
fn an_issued_token_is_valid_and_has_the_expected_claims() {
    let principal = principal(Role::Admin);
    let tokens = tokens(SECRET, None);
    let token = issue(&tokens, &principal);
    let claims = tokens.verify(&token, now()).unwrap();
    assert_eq!(
        (claims.sub, claims.sid, claims.role),
        (principal.user_id, principal.session_id, Role::Admin)
    );
    assert_eq!(claims.exp - claims.iat, ACCESS_LIFETIME.as_secs());
    assert!(token.len() < 640, "{}", token.len());
    // The token that the forgeries below start from is valid, so it is the
    // change that is rejected.
    let by_hand = signed(&header(), &self::claims());
    assert!(tokens.verify(&by_hand, now()).is_ok());
}

#[test]
fn a_token_expires_after_ten_minutes() {
    let (tokens, token) = (tokens(SECRET, None), valid());
    let after = |seconds| now() + SignedDuration::from_secs(seconds);
    assert!(
        tokens.verify(&token, after(601)).is_ok(),
        "within the leeway"
    );
    assert_eq!(tokens.verify(&token, after(602)), Err(TokenError::Expired));
    assert_eq!(
        tokens.verify(&token, after(1_000_000)),
        Err(TokenError::Expired)
    );
    assert!(
        tokens.verify(&token, after(-2)).is_ok(),
        "within the leeway"
    );
    assert_eq!(tokens.verify(&token, after(-3)), Err(TokenError::Invalid));
}

#[test]
fn the_previous_secret_verifies_but_does_not_sign() {
    let rotated = tokens(OTHER, Some(SECRET));
    assert!(rotated.verify(&valid(), now()).is_ok());
    let new = issue(&rotated, &principal(Role::User));
    assert!(tokens(OTHER, None).verify(&new, now()).is_ok());
    assert_eq!(
        tokens(SECRET, None).verify(&new, now()),
        Err(TokenError::Invalid)
    );
}

#[test]
fn tokens_verify_with_the_published_keys() {
    let set = tokens(OTHER, Some(SECRET)).key_set();
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    for key in keys {
        let mut names: Vec<_> = key.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"], "and no d");
        assert_eq!(
            (&key["kty"], &key["crv"]),
            (&json!("OKP"), &json!("Ed25519"))
        );
    }
    let token = valid();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let x = URL_SAFE_NO_PAD
        .decode(keys[1]["x"].as_str().unwrap())
        .unwrap();
    ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, x)
        .verify(
            message.as_bytes(),
            &URL_SAFE_NO_PAD.decode(signature).unwrap(),
        )
        .unwrap();
}

#[test]
fn no_key_is_derived_from_a_short_secret() {
    let secret = |current: &str| SecretVersions {
        current: current.into(),
        previous: None,
    };
    assert!(AccessTokens::new("emporium", &secret("")).is_err());
    assert!(AccessTokens::new("emporium", &secret("short")).is_err());
}

#[test]
fn every_forgery_is_rejected() {
    let tokens = tokens(SECRET, None);
    let headers = kinds::wrong_headers().into_iter();
    let headers = headers.map(|(name, header)| (name, signed(&header, &claims())));
    let bodies = kinds::wrong_claims().into_iter();
    let bodies = bodies.map(|(name, claims)| (name, signed(&header(), &claims)));
    let all: Vec<_> = headers.chain(bodies).chain(kinds::wrong_shapes()).collect();
    assert!(all.len() >= 80, "{}", all.len());
    let accepted: Vec<_> = all
        .iter()
        .filter(|(_, token)| tokens.verify(token, now()) != Err(TokenError::Invalid))
        .map(|(name, _)| name)
        .collect();
    assert!(
        accepted.is_empty(),
        "accepted, or reported as expired: {accepted:?}"
    );
}

#[test]
fn a_token_of_another_issuer_is_rejected() {
    let secret = SecretVersions {
        current: SECRET.into(),
        previous: None,
    };
    let other = AccessTokens::new("another-shop", &secret).unwrap();
    assert_eq!(other.verify(&valid(), now()), Err(TokenError::Invalid));
}

#[test]
fn a_token_with_any_bit_flipped_is_rejected() {
    let (tokens, token) = (tokens(SECRET, None), valid());
    for at in 0..token.len() {
        for bit in 0..7 {
            let mut bytes = token.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let changed = String::from_utf8(bytes).unwrap();
            let result = tokens.verify(&changed, now());
            assert_eq!(result, Err(TokenError::Invalid), "bit {bit} of byte {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn arbitrary_text_is_rejected(text in "\\PC{0,80}(\\.\\PC{0,80}){0,4}") {
        prop_assert_eq!(tokens(SECRET, None).verify(&text, now()), Err(TokenError::Invalid));
    }

    #[test]
    fn a_cut_or_spliced_token_is_rejected(at in 0usize..400, length in 0usize..40, text in "[A-Za-z0-9_.-]{0,40}") {
        let token = valid();
        let begin = at.min(token.len());
        let end = (begin + length).min(token.len());
        let mut changed = token.clone();
        changed.replace_range(begin..end, &text);
        prop_assume!(changed != token);
        prop_assert_eq!(tokens(SECRET, None).verify(&changed, now()), Err(TokenError::Invalid));
    }
}
