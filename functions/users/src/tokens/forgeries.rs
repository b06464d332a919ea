//! Every kind of forged or broken token we could think of, and that each is
//! refused. The tokens are put together by hand, as a forger would.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD},
};
use kernel::{SessionId, SignedDuration, Timestamp, UserId};
use proptest::prelude::*;
use ring::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair},
};
use runtime::{SecretVersions, http::Role};
use serde_json::{Value, json};

use super::{ACCESS_LIFETIME, AccessTokens, Rejected};

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

fn good() -> String {
    let ids = (UserId::generate(), SessionId::generate());
    tokens(SECRET, None)
        .issue(ids.0, ids.1, Role::User, now())
        .unwrap()
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
        "sub": UserId::generate(), "sid": SessionId::generate(), "role": "user",
        "jti": uuid::Uuid::now_v7()
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

/// A token that really is signed with our key.
fn signed(header: &Value, claims: &Value) -> String {
    signed_with(SECRET, &header.to_string(), &claims.to_string())
}

/// JSON with one member more, or another one.
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
fn what_we_issue_is_good_and_says_what_it_should() {
    let (user, session) = (UserId::generate(), SessionId::generate());
    let tokens = tokens(SECRET, None);
    let token = tokens.issue(user, session, Role::Admin, now()).unwrap();
    let claims = tokens.verify(&token, now()).unwrap();
    assert_eq!(
        (claims.sub, claims.sid, claims.role),
        (user, session, Role::Admin)
    );
    assert_eq!(claims.exp - claims.iat, ACCESS_LIFETIME.as_secs());
    assert!(token.len() < 640, "{}", token.len());
    // What the forgers below start from is good, too: it is what they change
    // that is refused.
    let by_hand = signed(&header(), &self::claims());
    assert!(tokens.verify(&by_hand, now()).is_ok());
}

#[test]
fn a_token_expires_after_ten_minutes_and_says_so() {
    let (tokens, token) = (tokens(SECRET, None), good());
    let after = |seconds| now() + SignedDuration::from_secs(seconds);
    assert!(
        tokens.verify(&token, after(601)).is_ok(),
        "within the leeway"
    );
    assert_eq!(tokens.verify(&token, after(602)), Err(Rejected::Expired));
    assert_eq!(
        tokens.verify(&token, after(1_000_000)),
        Err(Rejected::Expired)
    );
    assert!(
        tokens.verify(&token, after(-2)).is_ok(),
        "within the leeway"
    );
    assert_eq!(tokens.verify(&token, after(-3)), Err(Rejected::Invalid));
}

#[test]
fn the_previous_secret_verifies_and_does_not_sign() {
    let rotated = tokens(OTHER, Some(SECRET));
    assert!(rotated.verify(&good(), now()).is_ok());
    let ids = (UserId::generate(), SessionId::generate());
    let new = rotated.issue(ids.0, ids.1, Role::User, now()).unwrap();
    assert!(tokens(OTHER, None).verify(&new, now()).is_ok());
    assert_eq!(
        tokens(SECRET, None).verify(&new, now()),
        Err(Rejected::Invalid)
    );
}

#[test]
fn the_key_set_holds_public_keys_with_which_our_tokens_verify() {
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
    let token = good();
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
fn a_secret_that_could_be_guessed_makes_no_key() {
    let secret = |current: &str| SecretVersions {
        current: current.into(),
        previous: None,
    };
    assert!(AccessTokens::new("emporium", &secret("")).is_err());
    assert!(AccessTokens::new("emporium", &secret("short")).is_err());
}

/// Headers that are not ours, under our own signature.
fn wrong_headers() -> Vec<(&'static str, Value)> {
    let jwk = tokens(OTHER, None).key_set()["keys"][0].clone();
    vec![
        ("typ JWT", with(header(), "typ", json!("JWT"))),
        ("typ missing", without(header(), "typ")),
        ("typ in capitals", with(header(), "typ", json!("AT+JWT"))),
        ("kid of another key", with(header(), "kid", key_id(OTHER))),
        ("kid missing", without(header(), "kid")),
        ("kid null", with(header(), "kid", Value::Null)),
        ("kid a path", with(header(), "kid", json!("../../dev/null"))),
        ("kid SQL", with(header(), "kid", json!("' OR 1=1 --"))),
        ("alg missing", without(header(), "alg")),
        ("alg none", with(header(), "alg", json!("none"))),
        ("alg HS256", with(header(), "alg", json!("HS256"))),
        ("alg ES256", with(header(), "alg", json!("ES256"))),
        ("alg RS256", with(header(), "alg", json!("RS256"))),
        (
            "alg in small letters",
            with(header(), "alg", json!("eddsa")),
        ),
        ("alg a list", with(header(), "alg", json!(["EdDSA"]))),
        (
            "jku",
            with(header(), "jku", json!("https://evil.example/jwks")),
        ),
        ("jwk", with(header(), "jwk", jwk)),
        (
            "x5u",
            with(header(), "x5u", json!("https://evil.example/cert")),
        ),
        ("x5c", with(header(), "x5c", json!(["MIIB"]))),
        ("crit", with(header(), "crit", json!(["exp"]))),
        ("b64", with(header(), "b64", json!(false))),
        ("zip", with(header(), "zip", json!("DEF"))),
        ("cty", with(header(), "cty", json!("JWT"))),
        ("unknown member", with(header(), "x", json!(1))),
        ("a list", json!([header()])),
        ("a number", json!(1)),
    ]
}

/// Claims that are not ours, under our own signature.
fn wrong_claims() -> Vec<(&'static str, Value)> {
    let claim = |name: &str, value: Value| with(claims(), name, value);
    vec![
        ("iss another", claim("iss", json!("emporium2"))),
        ("iss missing", without(claims(), "iss")),
        ("iss a list", claim("iss", json!(["emporium"]))),
        ("aud another", claim("aud", json!("another-api"))),
        ("aud missing", without(claims(), "aud")),
        ("aud empty", claim("aud", json!(""))),
        ("aud a list", claim("aud", json!(["emporium-api"]))),
        ("not yet issued", claim("iat", json!(NOW + 3))),
        ("iat missing", without(claims(), "iat")),
        ("exp missing", without(claims(), "exp")),
        ("exp a text", claim("exp", json!("9999999999"))),
        ("exp a fraction", claim("exp", json!(9e99))),
        ("exp negative is expired", claim("exp", json!("-1"))),
        ("sub missing", without(claims(), "sub")),
        ("sub not a UUID", claim("sub", json!("admin"))),
        ("sid missing", without(claims(), "sid")),
        ("sid null", claim("sid", Value::Null)),
        ("role unknown", claim("role", json!("root"))),
        ("role missing", without(claims(), "role")),
        ("jti missing", without(claims(), "jti")),
        ("a list", json!([])),
        ("null", Value::Null),
    ]
}

/// Whole tokens that were put together in another way.
fn wrong_shapes() -> Vec<(&'static str, String)> {
    let token = good();
    let parts: Vec<&str> = token.split('.').collect();
    let [head, body, signature] = parts[..] else {
        panic!()
    };
    let public = pair(SECRET).public_key().as_ref().to_vec();
    let x = encode(&public);
    let hs = |name: &str| with(header(), "alg", json!(name));
    let none = encode(with(header(), "alg", json!("none")).to_string());
    let duplicate = header().to_string().replacen('{', r#"{"alg":"none","#, 1);
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let other = good();
    let other_body = other.split('.').nth(1).unwrap();
    let spaced = format!("{head}.{body}. {signature}");
    vec![
        ("empty", String::new()),
        ("dots", "..".into()),
        ("one part", head.into()),
        ("two parts", format!("{head}.{body}")),
        ("four parts", format!("{token}.{signature}")),
        ("no signature", format!("{head}.{body}.")),
        ("no header", format!(".{body}.{signature}")),
        ("no claims", format!("{head}..{signature}")),
        ("none, unsigned", format!("{none}.{body}.")),
        (
            "none, with a signature",
            format!("{none}.{body}.{signature}"),
        ),
        (
            "HS256 with the public key",
            hmac_signed(hmac::HMAC_SHA256, &hs("HS256"), &public),
        ),
        (
            "HS256 with its text",
            hmac_signed(hmac::HMAC_SHA256, &hs("HS256"), x.as_bytes()),
        ),
        (
            "HS512 with the public key",
            hmac_signed(hmac::HMAC_SHA512, &hs("HS512"), &public),
        ),
        (
            "HS256 with nothing",
            hmac_signed(hmac::HMAC_SHA256, &hs("HS256"), b""),
        ),
        (
            "HS256, said to be EdDSA",
            hmac_signed(hmac::HMAC_SHA256, &header(), &public),
        ),
        (
            "signed with another key under our name",
            signed_with(OTHER, &header().to_string(), &claims().to_string()),
        ),
        (
            "alg twice",
            signed_with(SECRET, &duplicate, &claims().to_string()),
        ),
        (
            "claims of another token",
            format!("{head}.{other_body}.{signature}"),
        ),
        (
            "half a signature",
            format!("{head}.{body}.{}", encode(&raw[..32])),
        ),
        (
            "a signature of zeros",
            format!("{head}.{body}.{}", encode([0; 64])),
        ),
        (
            "a signature too long",
            format!("{head}.{body}.{}", encode([&raw[..], &[0]].concat())),
        ),
        (
            "base64 with padding",
            format!("{head}.{body}.{}", URL_SAFE.encode(&raw)),
        ),
        (
            "base64 of the other alphabet",
            format!("{head}.{body}.{}+/", STANDARD.encode(&raw)),
        ),
        ("white space inside", spaced),
        ("white space around", format!(" {token}")),
        ("a line break at the end", format!("{token}\n")),
        ("a NUL at the end", format!("{token}\0")),
        (
            "claims that are not JSON",
            signed_with(SECRET, &header().to_string(), "{"),
        ),
        ("claims that are not UTF-8", {
            let message = format!("{head}.{}", encode([0xff, 0xfe]));
            let signature = encode(pair(SECRET).sign(message.as_bytes()));
            format!("{message}.{signature}")
        }),
        (
            "too long",
            signed(&header(), &with(claims(), "x", json!("x".repeat(2048)))),
        ),
        (
            "JSON serialisation",
            json!({"payload": body, "signature": signature}).to_string(),
        ),
        (
            "an encrypted token",
            format!("{head}.{body}.{body}.{body}.{signature}"),
        ),
    ]
}

#[test]
fn every_forgery_is_refused() {
    let tokens = tokens(SECRET, None);
    let headers = wrong_headers().into_iter();
    let headers = headers.map(|(name, header)| (name, signed(&header, &claims())));
    let bodies = wrong_claims().into_iter();
    let bodies = bodies.map(|(name, claims)| (name, signed(&header(), &claims)));
    let all: Vec<_> = headers.chain(bodies).chain(wrong_shapes()).collect();
    assert!(all.len() >= 80, "{}", all.len());
    let accepted: Vec<_> = all
        .iter()
        .filter(|(_, token)| tokens.verify(token, now()) != Err(Rejected::Invalid))
        .map(|(name, _)| name)
        .collect();
    assert!(
        accepted.is_empty(),
        "accepted, or called expired: {accepted:?}"
    );
}

#[test]
fn a_token_of_another_shop_is_refused() {
    let secret = SecretVersions {
        current: SECRET.into(),
        previous: None,
    };
    let other = AccessTokens::new("another-shop", &secret).unwrap();
    assert_eq!(other.verify(&good(), now()), Err(Rejected::Invalid));
}

#[test]
fn every_single_bit_counts() {
    let (tokens, token) = (tokens(SECRET, None), good());
    for at in 0..token.len() {
        for bit in 0..7 {
            let mut bytes = token.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let changed = String::from_utf8(bytes).unwrap();
            let verdict = tokens.verify(&changed, now());
            assert_eq!(verdict, Err(Rejected::Invalid), "bit {bit} of byte {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn no_text_gets_in_or_breaks_it(text in "\\PC{0,80}(\\.\\PC{0,80}){0,4}") {
        prop_assert_eq!(tokens(SECRET, None).verify(&text, now()), Err(Rejected::Invalid));
    }

    #[test]
    fn no_cut_or_spliced_token_gets_in(at in 0usize..400, length in 0usize..40, text in "[A-Za-z0-9_.-]{0,40}") {
        let token = good();
        let begin = at.min(token.len());
        let end = (begin + length).min(token.len());
        let mut changed = token.clone();
        changed.replace_range(begin..end, &text);
        prop_assume!(changed != token);
        prop_assert_eq!(tokens(SECRET, None).verify(&changed, now()), Err(Rejected::Invalid));
    }
}
