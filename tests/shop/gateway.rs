//! What every response has in common, and what the gateway itself does.

use serde_json::json;
use shop_client::Method;

use crate::support::{anonymous, register};

#[tokio::test]
async fn an_unknown_route_returns_a_problem_with_its_path() {
    let client = anonymous().await;
    for (method, path) in [
        (Method::GET, "/api/nothing"),
        (Method::DELETE, "/api/products"),
        (Method::POST, "/"),
        (Method::GET, "/api/orders/x/y/z"),
    ] {
        let reply = client.send(method, path, None, 404).await;
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert_eq!(reply.body["code"], "route_not_found");
        assert_eq!(reply.body["instance"], path);
        assert_eq!(reply.body["success"], false);
    }
}

#[tokio::test]
async fn every_response_has_request_ids_and_security_headers() {
    let client = anonymous().await;
    for path in ["/api/products", "/api/nothing", "/api/auth/me", "/health"] {
        let reply = client
            .with("x-request-id", "my-request-1")
            .request(Method::GET, path, None);
        let reply = reply.await.unwrap();
        let id = reply.header("x-request-id");
        assert!(!id.is_empty() && id != "my-request-1", "{path}: {id}");
        assert_eq!(reply.header("x-correlation-id"), id, "{path}");
        assert_eq!(
            reply.header("x-client-request-id"),
            "my-request-1",
            "{path}"
        );
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
    let generated = client.get("/api/products", 200).await;
    assert_eq!(
        generated.body["meta"]["requestId"],
        generated.header("x-request-id")
    );
    let unsafe_id = client
        .with("x-request-id", "a b<script>")
        .get("/api/products", 200)
        .await;
    assert_eq!(unsafe_id.header("x-client-request-id"), "");
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
async fn identity_headers_are_ignored() {
    let client = anonymous()
        .await
        .with("x-user-id", "admin")
        .with("x-role", "admin");
    client.get("/api/auth/me", 401).await;
    client
        .post("/api/categories", &json!({ "name": "x" }), 401)
        .await;
}

#[tokio::test]
async fn only_allowed_origins_pass_cors() {
    let client = anonymous().await;
    let preflight = async |origin: &str| {
        let request = client
            .with("origin", origin)
            .with("access-control-request-method", "POST")
            .with(
                "access-control-request-headers",
                "content-type,idempotency-key",
            );
        request
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
async fn health_reports_every_table_topic_and_queue() {
    let health = anonymous().await.get("/health", 200).await;
    let data = health.data();
    assert_eq!(data["status"], "healthy");
    let checks = data["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 23, "{data}");
    for check in checks {
        assert_eq!(check["status"], "healthy", "{check}");
        assert!(check["responseTimeMs"].is_number(), "{check}");
    }
}
