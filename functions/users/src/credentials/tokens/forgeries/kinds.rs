//! The forgeries, by kind.

use super::*;

/// Wrong headers, correctly signed.
pub(super) fn wrong_headers() -> Vec<(&'static str, Value)> {
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

/// Wrong claims, correctly signed.
pub(super) fn wrong_claims() -> Vec<(&'static str, Value)> {
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

/// Malformed tokens.
pub(super) fn wrong_shapes() -> Vec<(&'static str, String)> {
    let token = valid();
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
    let other = valid();
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
