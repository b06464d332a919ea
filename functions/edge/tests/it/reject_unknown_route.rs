use edge::api::reject_unknown_route::function;
use kernel::Role;
use runtime::{Environment, http::Method};
use testkit::{Client, status::NOT_FOUND};

async fn client() -> Client {
    let handler = function().start(Environment::default()).await;
    Client::new(handler.unwrap())
}

#[tokio::test]
async fn the_reply_is_a_problem_with_the_method_and_the_path() {
    let client = client().await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
        let sent = Method::from_bytes(method.as_bytes()).unwrap();
        let reply = client
            .send(sent, "/api/nothing-here?x=1", None, NOT_FOUND)
            .await;
        assert_eq!(
            reply.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(reply.body["code"], "route_not_found");
        assert_eq!(reply.body["type"], "/problems/route_not_found");
        assert_eq!(reply.body["success"], false);
        assert_eq!(
            reply.body["detail"],
            format!("there is no route {method} /api/nothing-here")
        );
    }
}

#[tokio::test]
async fn the_reply_does_not_depend_on_the_caller() {
    let client = client().await;
    for client in [
        client.as_internal(),
        client.as_user(testkit::new_id(), Role::Admin),
    ] {
        let reply = client.get("/", NOT_FOUND).await;
        assert_eq!(reply.body["detail"], "there is no route GET /");
    }
}

#[tokio::test]
async fn a_long_or_hostile_path_is_truncated_and_plain_in_the_reply() {
    let client = client().await;
    let long = format!("/{}", "a".repeat(5000));
    let reply = client.get(&long, NOT_FOUND).await;
    let detail = reply.body["detail"].as_str().unwrap();
    assert!(detail.chars().count() < 250, "{detail}");
    let reply = client.get("/%3Cscript%3E'%0a", NOT_FOUND).await;
    assert_eq!(
        reply.body["detail"],
        "there is no route GET /%3Cscript%3E?%0a"
    );
}
