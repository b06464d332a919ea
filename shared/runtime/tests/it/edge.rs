//! Requests through an edge, past it, and without one.

use runtime::{
    Environment, Error, Handler,
    http::{Access, ApiError, Endpoint, HeaderMap, Reply, SourceIp},
};
use serde_json::json;
use testkit::{Client, status::*};

/// SHA-256 of "abc" and of a text of 56 characters (FIPS 180-2).
const HASHES: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad,\
    248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
const KEYS: [&str; 2] = [
    "abc",
    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
];

async fn start(_: Environment) -> Result<(), Error> {
    Ok(())
}

/// Shows what a handler and a guard are told.
async fn handler(hashes: &str) -> Result<Handler, Error> {
    async fn show(SourceIp(ip): SourceIp, headers: HeaderMap) -> Reply {
        let seen = |name: &str| headers.contains_key(name);
        let seen = [seen("x-edge-key"), seen("true-client-ip")];
        Reply::ok("done", &json!({ "ip": ip, "seen": seen }))
    }
    async fn guard(SourceIp(ip): SourceIp) -> Result<HeaderMap, ApiError> {
        match ip {
            Some(ip) if ip.to_string() == "198.51.100.66" => {
                Err(ApiError::too_many_requests(9, "too many"))
            }
            _ => Ok(HeaderMap::new()),
        }
    }
    let endpoint = Endpoint::new("test-function", Access::Public, &[])
        .get("/thing", show)
        .guard(|_, ip| guard(ip));
    let environment = Environment::from_iter([("EDGE_KEY_HASHES", hashes)]);
    endpoint.start(start).start(environment).await
}

async fn client(hashes: &str) -> Client {
    Client::new(handler(hashes).await.unwrap())
}

#[tokio::test]
async fn without_an_edge_the_address_is_the_connections_whatever_headers_say() {
    let client = client("").await;
    for ip in ["198.51.100.1", "198.51.100.66", "nonsense"] {
        let forged = client
            .with_header("x-edge-key", "abc")
            .with_header("true-client-ip", ip)
            .with_header("x-forwarded-for", ip);
        let reply = forged.get("/thing", OK).await;
        let expected = json!({"ip": "203.0.113.7", "seen": [false, false]});
        assert_eq!(reply.body["data"], expected);
    }
}

#[tokio::test]
async fn behind_an_edge_the_address_is_the_one_that_the_edge_gives() {
    let client = client(HASHES).await.from_ip("192.0.2.1");
    for key in KEYS {
        let edge = client
            .with_header("x-edge-key", key)
            .with_header("x-forwarded-for", "198.51.100.66");
        for ip in ["198.51.100.1", "2001:db8::7"] {
            let edge = edge.with_header("true-client-ip", ip);
            let reply = edge.get("/thing", OK).await;
            let expected = json!({"ip": ip, "seen": [false, false]});
            assert_eq!(reply.body["data"], expected);
        }
        let limited = edge.with_header("true-client-ip", "198.51.100.66");
        limited.get("/thing", TOO_MANY_REQUESTS).await;
        // The edge's own address would be one for everybody.
        for unreadable in [
            "",
            "nowhere",
            "198.51.100.1, 198.51.100.2",
            "198.51.100.1:443",
        ] {
            let reply = edge.with_header("true-client-ip", unreadable);
            let reply = reply.get("/thing", OK).await;
            assert_eq!(reply.body["data"]["ip"], json!(null), "{unreadable}");
        }
        assert_eq!(edge.get("/thing", OK).await.body["data"]["ip"], json!(null));
    }
}

#[tokio::test]
async fn a_request_past_the_edge_is_refused_and_the_key_is_not_shown() {
    let client = client(HASHES).await;
    let key = "canary-of-a-wrong-key";
    let wrong = client.with_header("x-edge-key", key);
    let both = client.with_header("x-edge-key", &KEYS.join(","));
    for client in [
        &client,
        &wrong,
        &both,
        &client.with_header("x-edge-key", ""),
    ] {
        let client = client.with_header("true-client-ip", "198.51.100.66");
        for path in ["/thing", "/nothing"] {
            let reply = client.get(path, FORBIDDEN).await;
            assert_eq!(reply.body["code"], "edge_required");
            assert!(reply.header("x-request-id").is_some());
            let shown = format!("{:?} {}", reply.headers, reply.body);
            assert!(!shown.contains(key) && !shown.contains("abc"), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_function_with_an_invalid_hash_does_not_start() {
    let refused = handler("abc").await.err().unwrap().to_string();
    assert!(refused.contains("EDGE_KEY_HASHES"), "{refused}");
}
