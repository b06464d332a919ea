//! The HTTP shell: what it does around every handler.

use axum::extract::Path;
use http::{HeaderMap, Method};
use kernel::{Role, UserId};
use runtime::{
    Clock, Environment, Error, Failure, Function, Handler, Host, Random,
    http::{Access, ApiError, BODY_BYTES_MAX, Endpoint, Reply, RequestCause, SourceIp},
};
use serde_json::json;
use testkit::{Client, new_id, status::*};

struct App;

async fn start(_: Environment) -> Result<App, Error> {
    Ok(App)
}

async fn handler(endpoint: Endpoint<App>) -> Handler {
    let function: Function = endpoint.start(start);
    function.start(Environment::default()).await.unwrap()
}

fn endpoint(access: Access) -> Endpoint<App> {
    Endpoint::new("test-function", access, &[])
}

/// Over the size from which replies are compressed.
async fn ok() -> Reply {
    Reply::ok("done", &json!({"text": "x".repeat(2_000)})).cacheable()
}

async fn client() -> Client {
    Client::new(handler(endpoint(Access::Public).get("/thing", ok)).await)
}

#[tokio::test]
async fn a_reply_names_its_request() {
    let client = client().await;
    let reply = client.get("/thing", OK).await;
    let id = reply.header("x-request-id").unwrap().to_owned();
    assert_eq!(reply.body["meta"]["requestId"], id);
    assert_eq!(reply.header("x-correlation-id"), Some(id.as_str()));

    assert_eq!(reply.header("x-client-request-id"), None);
    let reply = client.get("/nothing", NOT_FOUND).await;
    assert_eq!(
        reply.body["requestId"],
        reply.header("x-request-id").unwrap()
    );
    assert_eq!(reply.body["instance"], "/nothing");
}

#[tokio::test]
async fn a_clients_ids_are_returned_beside_ours_and_never_in_their_place() {
    let client = client().await;
    let named = client
        .with_header("x-request-id", "mine")
        .with_header("x-correlation-id", "chain");
    for (path, status) in [("/thing", OK), ("/nothing", NOT_FOUND)] {
        let reply = named.get(path, status).await;
        let id = reply.header("x-request-id").unwrap();
        assert!(id.parse::<uuid::Uuid>().is_ok(), "{id}");
        assert_eq!(reply.header("x-correlation-id"), Some(id));
        assert!(!reply.body.to_string().contains("mine"), "{}", reply.body);
        assert_eq!(reply.header("x-client-request-id"), Some("mine"));
        assert_eq!(reply.header("x-client-correlation-id"), Some("chain"));
    }
    for unsafe_id in ["", "a b", "a\"b", &"x".repeat(129)] {
        let reply = client.with_header("x-request-id", unsafe_id);
        let reply = reply.get("/thing", OK).await;
        assert_eq!(reply.header("x-client-request-id"), None);
    }
}

#[tokio::test]
async fn the_cause_of_an_event_is_the_request_and_its_caller() {
    async fn cause(RequestCause(cause): RequestCause) -> Reply {
        let actor = cause.actor.to_string();
        let client = cause.client;
        Reply::ok(
            "done",
            &json!({
                "ours": [cause.correlation_id, cause.causation_id], "actor": actor,
                "clients": [client.correlation_id, client.request_id], "from": cause.source_ip,
            }),
        )
    }
    let user: UserId = new_id();
    let client =
        Client::new(handler(endpoint(Access::AdminOrInternal).post("/thing", cause)).await)
            .with_header("x-request-id", "request")
            .with_header("x-correlation-id", "chain");
    for (client, actor, from) in [
        (
            client.as_user(user, Role::Admin),
            format!("user:{user}"),
            None,
        ),
        (client.as_internal(), "internal".into(), Some("203.0.113.7")),
    ] {
        let reply = client.post("/thing", &json!({}), OK).await;
        let id = reply.header("x-request-id").unwrap();
        let expected = json!({
            "ours": [id, id], "actor": actor, "clients": ["chain", "request"], "from": from
        });
        assert_eq!(reply.body["data"], expected);
    }
}

#[tokio::test]
async fn a_guard_runs_after_the_access_check_and_its_headers_are_on_every_reply() {
    async fn guard(ip: SourceIp) -> Result<HeaderMap, ApiError> {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("ratelimit-remaining"),
            http::HeaderValue::from(7),
        )]);
        match ip.0 {
            Some(ip) if ip.to_string() == "203.0.113.66" => {
                Err(ApiError::too_many_requests(9, "too many").with_headers(headers))
            }
            _ => Ok(headers),
        }
    }
    async fn by_name(Path(name): Path<String>) -> Result<Reply, ApiError> {
        match name.as_str() {
            "good" => Ok(Reply::done("done")),
            "panic" => panic!("as the test wants"),
            _ => Err(ApiError::not_found("thing")),
        }
    }
    let guarded = endpoint(Access::SignedIn)
        .get("/things/{name}", by_name)
        .guard(|_, ip| guard(ip));
    let nobody = Client::new(handler(guarded).await);
    let reply = nobody.get("/things/good", UNAUTHORIZED).await;
    assert_eq!(reply.header("ratelimit-remaining"), None, "not guarded yet");

    let client = nobody.as_user(new_id(), Role::User);
    for (path, status) in [
        ("/things/good", OK),
        ("/things/bad", NOT_FOUND),
        ("/things/panic", INTERNAL_SERVER_ERROR),
    ] {
        let reply = client.get(path, status).await;
        assert_eq!(reply.header("ratelimit-remaining"), Some("7"), "{path}");
    }
    let refused = client.from_ip("203.0.113.66");
    let reply = refused.get("/things/good", TOO_MANY_REQUESTS).await;
    assert_eq!(reply.header("retry-after"), Some("9"));
    assert_eq!(reply.header("ratelimit-remaining"), Some("7"));
    assert_eq!(reply.body["code"], "too_many_requests");
}

#[tokio::test]
async fn a_panic_is_a_500_that_tells_nothing() {
    async fn panics() -> Reply {
        panic!("the secret reason")
    }
    let client = Client::new(handler(endpoint(Access::Public).get("/thing", panics)).await);
    let reply = client.get("/thing", INTERNAL_SERVER_ERROR).await;
    assert_eq!(reply.body["code"], "internal_error");
    assert!(!reply.body.to_string().contains("secret"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_the_handler() {
    async fn unreachable() -> Reply {
        panic!("not called")
    }
    let client = Client::new(handler(endpoint(Access::Public).post("/thing", unreachable)).await);
    let body = Some("x".repeat(BODY_BYTES_MAX + 1));
    let reply = client.send(Method::POST, "/thing", body, PAYLOAD_TOO_LARGE);
    assert_eq!(reply.await.body["code"], "payload_too_large");
}

#[tokio::test]
async fn an_unchanged_reply_is_not_sent_again() {
    let client = client().await;
    let tag = client.get("/thing", OK).await;
    let tag = tag.header("etag").unwrap().to_owned();
    let asking = client.with_header("if-none-match", &tag);
    let reply = asking.get("/thing", NOT_MODIFIED).await;
    assert!(reply.body.is_null());
    assert_eq!(reply.header("etag"), Some(tag.as_str()));
    let stale = client.with_header("if-none-match", "W/\"another\"");
    stale.get("/thing", OK).await;
}

#[tokio::test]
async fn the_same_host_makes_the_same_request_id() {
    let reply = || async {
        let epoch = Clock::new(|| kernel::Timestamp::UNIX_EPOCH);
        let host = Host::new(epoch, Random::new(|bytes| bytes.fill(7)));
        let function = endpoint(Access::Public).get("/thing", ok).start(start);
        let handler = function.start(Environment::default().on(host)).await;
        Client::new(handler.unwrap()).get("/thing", OK).await
    };
    let (first, second) = (reply().await, reply().await);
    assert_eq!(first.headers, second.headers);
    assert_eq!(first.body, second.body);
}

#[tokio::test]
async fn a_reply_has_the_length_of_its_body_and_one_to_head_no_body() {
    let client = client().await;
    let reply = client.get("/thing", OK).await;
    let length = reply.header("content-length").unwrap().to_owned();
    assert_eq!(length, reply.body.to_string().len().to_string());
    let head = client.send(Method::HEAD, "/thing", None, OK).await;
    assert!(head.body.is_null());
    assert_eq!(head.header("content-length"), Some(length.as_str()));
    let missing = client.get("/nothing", NOT_FOUND).await;
    assert_ne!(missing.header("content-length"), Some("0"));
}

#[tokio::test]
async fn a_large_reply_is_compressed_for_those_who_accept_it() {
    let client = client().await;
    let plain = client.get("/thing", OK).await;
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(plain.header("vary"), Some("accept-encoding"));
    let gzip = client.with_header("accept-encoding", "br, gzip");
    let reply = gzip.get("/thing", OK).await;
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    assert!(
        reply.body.as_str().unwrap().starts_with("H4sI"),
        "gzip in base64"
    );

    let tag = plain.header("etag").unwrap();
    let unchanged = gzip.with_header("if-none-match", tag);
    let reply = unchanged.get("/thing", NOT_MODIFIED).await;
    assert_eq!(reply.header("content-encoding"), None);
    assert_eq!(reply.header("vary"), Some("accept-encoding"));
}

#[tokio::test]
async fn a_failure_is_503_with_a_time_to_retry_and_a_defect_is_500() {
    #[derive(Debug)]
    struct Broken {
        is_defect: bool,
    }
    impl std::fmt::Display for Broken {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the table's name")
        }
    }
    impl std::error::Error for Broken {}
    impl Failure for Broken {
        fn is_defect(&self) -> bool {
            self.is_defect
        }
    }
    async fn fails(Path(kind): Path<String>) -> Result<Reply, ApiError> {
        let is_defect = kind == "defect";
        Err(Broken { is_defect })?
    }
    let client = Client::new(handler(endpoint(Access::Public).get("/{kind}", fails)).await);
    let outage = client.get("/outage", SERVICE_UNAVAILABLE).await;
    assert_eq!(outage.body["code"], "service_unavailable");
    assert_eq!(outage.header("retry-after"), Some("2"));
    let defect = client.get("/defect", INTERNAL_SERVER_ERROR).await;
    assert_eq!(defect.body["code"], "internal_error");
    assert_eq!(defect.header("retry-after"), None);
    for reply in [outage, defect] {
        assert!(!reply.body.to_string().contains("table"));
    }
}
