//! The HTTP shell: what it does around every handler.

use axum::extract::Path;
use http::{HeaderMap, Method};
use kernel::{Role, UserId};
use runtime::{
    Clock, Environment, Error, Function, Handler, Host, Random,
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

    let named = client
        .with_header("x-request-id", "mine")
        .with_header("x-correlation-id", "chain");
    let reply = named.get("/thing", OK).await;
    assert_eq!(reply.body["meta"]["requestId"], "mine");
    assert_eq!(reply.header("x-correlation-id"), Some("chain"));
    let reply = named.get("/nothing", NOT_FOUND).await;
    assert_eq!(reply.body["requestId"], "mine");
    assert_eq!(reply.body["instance"], "/nothing");

    for unsafe_id in ["", "a b", "a\"b", &"x".repeat(129)] {
        let reply = client.with_header("x-request-id", unsafe_id);
        let reply = reply.get("/thing", OK).await;
        assert_ne!(reply.body["meta"]["requestId"], unsafe_id);
    }
}

#[tokio::test]
async fn the_cause_of_an_event_is_the_request_and_its_caller() {
    async fn cause(RequestCause(cause): RequestCause) -> Reply {
        let cause = [
            cause.correlation_id,
            cause.causation_id,
            cause.actor.to_string(),
        ];
        Reply::ok("done", &cause)
    }
    let user: UserId = new_id();
    let client = Client::new(handler(endpoint(Access::SignedIn).post("/thing", cause)).await)
        .as_user(user, Role::User)
        .with_header("x-request-id", "request")
        .with_header("x-correlation-id", "chain");
    let reply = client.post("/thing", &json!({}), OK).await;
    let expected = json!(["chain", "request", format!("user:{user}")]);
    assert_eq!(reply.body["data"], expected);
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
    for (path, status) in [("/things/good", OK), ("/things/bad", NOT_FOUND)] {
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
