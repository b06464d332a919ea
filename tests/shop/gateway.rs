//! What every reply has, and what the gateway does.

use reqwest::Method;
use serde_json::json;

use crate::support::{Client, register};

#[tokio::test]
async fn an_unknown_route_is_a_problem_that_names_it() {
    let client = Client::anonymous().await;
    for (method, path) in [
        (Method::GET, "/api/nothing"),
        (Method::DELETE, "/api/products"),
        (Method::POST, "/"),
        (Method::GET, "/api/orders/x/y/z"),
    ] {
        let lost = client.send(method, path, None, 404).await;
        assert_eq!(lost.header("content-type"), "application/problem+json");
        assert_eq!(lost.body["code"], "route_not_found");
        assert_eq!(lost.body["instance"], path);
        assert_eq!(lost.body["success"], false);
    }
}

#[tokio::test]
async fn every_reply_has_its_ids_and_its_security_headers() {
    let client = Client::anonymous().await;
    for path in ["/api/products", "/api/nothing", "/api/auth/me", "/health"] {
        let reply = client
            .with("x-request-id", "my-request-1")
            .request(Method::GET, path, None);
        let reply = reply.await.unwrap();
        assert_eq!(reply.header("x-request-id"), "my-request-1", "{path}");
        assert_eq!(reply.header("x-correlation-id"), "my-request-1", "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert!(
            reply
                .header("strict-transport-security")
                .contains("max-age"),
            "{path}"
        );
        assert!(
            reply
                .header("content-security-policy")
                .contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!reply.header("x-service").is_empty() && !reply.header("x-version").is_empty());
    }
    let made = client.get("/api/products", 200).await;
    assert_eq!(made.body["meta"]["requestId"], made.header("x-request-id"));
    let odd = client
        .with("x-request-id", "a b<script>")
        .get("/api/products", 200)
        .await;
    assert_ne!(odd.header("x-request-id"), "a b<script>");
    let person = register().await;
    assert_eq!(
        person
            .client
            .get("/api/auth/me", 200)
            .await
            .header("cache-control"),
        "no-store"
    );
}

#[tokio::test]
async fn identity_is_never_taken_from_a_header() {
    let client = Client::anonymous()
        .await
        .with("x-user-id", "admin")
        .with("x-role", "admin");
    client.get("/api/auth/me", 401).await;
    client
        .post("/api/categories", &json!({ "name": "x" }), 401)
        .await;
}

#[tokio::test]
async fn origins_that_are_allowed_may_call_and_others_may_not() {
    let client = Client::anonymous().await;
    let preflight = async |origin: &str| {
        let asked = client
            .with("origin", origin)
            .with("access-control-request-method", "POST")
            .with(
                "access-control-request-headers",
                "content-type,idempotency-key",
            );
        asked
            .request(Method::OPTIONS, "/api/orders", None)
            .await
            .unwrap()
    };
    let allowed = preflight("http://localhost:5173").await;
    assert_eq!(allowed.status, 204);
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        "http://localhost:5173"
    );
    assert_eq!(allowed.header("access-control-allow-credentials"), "true");
    let refused = preflight("https://evil.example").await;
    assert_eq!(refused.header("access-control-allow-origin"), "");
    let called = client
        .with("origin", "http://localhost:5173")
        .get("/api/nothing", 404)
        .await;
    assert_eq!(
        called.header("access-control-allow-origin"),
        "http://localhost:5173"
    );
}

#[tokio::test]
async fn health_tells_of_every_table_topic_and_queue() {
    let health = Client::anonymous().await.get("/health", 200).await;
    let data = health.data();
    assert_eq!(data["status"], "healthy");
    let checks = data["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 23, "{data}");
    for check in checks {
        assert_eq!(check["status"], "healthy", "{check}");
        assert!(check["responseTimeMs"].is_number(), "{check}");
    }
}
