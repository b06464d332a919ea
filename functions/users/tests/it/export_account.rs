//! `GET /api/users/export`.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    routing::post,
};
use kernel::SignedDuration;
use serde_json::{Value, json};
use testkit::status::*;

use crate::fixture::{PASSWORD, Person, TestUsers, full_address};

const PATH: &str = "/api/users/export";

/// A stub of Lambda with the export functions of the other services: `export-orders`
/// and `export-notifications` reply in two pages.
#[derive(Clone, Default)]
pub(crate) struct StubExports {
    /// Each call, with the name of its function.
    calls: Arc<Mutex<Vec<(String, Value)>>>,
    /// The function that fails.
    broken: Option<&'static str>,
    /// Whether the orders exceed the size of a reply.
    large: bool,
}

const FIRST: &str = "01936d30-0000-7000-8000-000000000201";
const SECOND: &str = "01936d30-0000-7000-8000-000000000202";

async fn reply(
    State(stub): State<StubExports>,
    Path(name): Path<String>,
    // The SDK sends it as an octet stream.
    body: Bytes,
) -> (HeaderMap, Json<Value>) {
    let call: Value = serde_json::from_slice(&body).unwrap();
    let mut calls = stub.calls.lock().unwrap();
    calls.push((name.clone(), call.clone()));
    let mut headers = HeaderMap::new();
    if stub.broken == Some(&name) {
        let name = HeaderName::from_static("x-amz-function-error");
        headers.insert(name, HeaderValue::from_static("Unhandled"));
        return (headers, Json(json!({"errorMessage": "broken"})));
    }
    let first = call["after"].is_null();
    let next = if first { json!(FIRST) } else { Value::Null };
    let filler = if stub.large {
        "x".repeat(700_000)
    } else {
        String::new()
    };
    let reply = match name.as_str() {
        "export-orders" if first => json!({
            "orders": [{"id": FIRST, "note": filler}, {"id": SECOND, "note": filler}],
            "paymentIds": [FIRST, SECOND], "next": next,
        }),
        "export-orders" => json!({"orders": [], "paymentIds": [], "next": null}),
        "export-payments" => json!({"payments": call["paymentIds"]}),
        _ => json!({
            "contact": {"email": "ada@example.com"}, "notifications": [{"first": first}], "next": next,
        }),
    };
    (headers, Json(reply))
}

impl TestUsers {
    /// Users whose `export-account` calls a stub.
    async fn exporting(stub: &StubExports) -> Self {
        Self::exporting_with(stub, &[]).await
    }

    /// The same with further variables of the environment.
    pub(crate) async fn exporting_with(stub: &StubExports, variables: &[(&str, &str)]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let path = "/2015-03-31/functions/{name}/invocations";
        let router = Router::new()
            .route(path, post(reply))
            .with_state(stub.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let exports = [
            ("AWS_ENDPOINT_URL_LAMBDA", url.as_str()),
            ("EXPORT_ORDERS_FUNCTION", "export-orders"),
            ("EXPORT_PAYMENTS_FUNCTION", "export-payments"),
            ("EXPORT_NOTIFICATIONS_FUNCTION", "export-notifications"),
        ];
        Self::with(&[&exports, variables].concat()).await
    }
}

#[tokio::test]
async fn an_export_contains_the_users_data_from_every_service() {
    let stub = StubExports::default();
    let users = TestUsers::exporting(&stub).await;
    let ada = users.register("ada@example.com").await;
    users.register("eve@example.com").await;
    users.log_in("ada@example.com", PASSWORD, OK).await;
    users.add_address(&ada, &full_address()).await;
    let machine = users.internal_client().from_ip("192.0.2.9");
    let user = format!("/api/users/{}", ada.id);
    machine
        .patch(&user, &json!({"role": "moderator"}), OK)
        .await;
    let reply = users.client_of(&ada).get(PATH, OK).await;
    assert_eq!(
        reply.header("content-disposition"),
        Some("attachment; filename=\"account.json\"")
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let data = &reply.body["data"];
    assert_eq!(data["exportedAt"], "2026-01-01T00:00:00Z");
    assert_eq!(data["account"]["email"], "ada@example.com");
    assert_eq!(data["account"]["lastLoginIp"], "203.0.113.7");
    assert_eq!(data["addresses"][0]["line1"], "12 St James's Square");
    assert_eq!(data["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(data["history"][0]["type"], "user.registered");
    assert_eq!(data["orders"].as_array().unwrap().len(), 2);
    assert_eq!(data["payments"], json!([FIRST, SECOND]));
    assert_eq!(
        data["notifications"],
        json!([{"first": true}, {"first": false}])
    );
    assert_eq!(data["contact"]["email"], "ada@example.com");
    // Nothing of other users, of machines' networks, and no credentials.
    assert_eq!(data["history"][1]["actor"], "internal", "{data}");
    let text = reply.body.to_string().to_lowercase();
    let secrets = [
        "192.0.2.9",
        "eve@",
        "argon2",
        "hash",
        "sealed",
        "verificationtoken",
    ];
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let calls = stub.calls.lock().unwrap().clone();
    assert_eq!(calls.len(), 5, "{calls:?}");
    for (_, call) in calls {
        assert_eq!(call["userId"], ada.id.to_string());
        assert!(!call["correlationId"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_export_fails_when_one_service_fails() {
    for broken in ["export-orders", "export-payments", "export-notifications"] {
        let stub = StubExports {
            broken: Some(broken),
            ..StubExports::default()
        };
        let users = TestUsers::exporting(&stub).await;
        let ada = users.register("ada@example.com").await;
        let client = users.client_of(&ada);
        let reply = client.get(PATH, SERVICE_UNAVAILABLE).await;
        assert_eq!(reply.body["service"], broken.trim_start_matches("export-"));
        assert!(reply.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn an_export_that_exceeds_the_size_of_a_reply_is_rejected() {
    let stub = StubExports {
        large: true,
        ..StubExports::default()
    };
    let users = TestUsers::exporting(&stub).await;
    let ada = users.register("ada@example.com").await;
    let reply = users.client_of(&ada).get(PATH, CONFLICT).await;
    assert_eq!(reply.body["code"], "export_too_large");
}

#[tokio::test]
async fn a_user_can_export_ten_times_a_day() {
    let users = TestUsers::exporting(&StubExports::default()).await;
    let ada = users.register("ada@example.com").await;
    let eve = users.register("eve@example.com").await;
    for left in (0..10).rev() {
        let reply = users.client_of(&ada).get(PATH, OK).await;
        assert_eq!(
            reply.header("ratelimit-remaining"),
            Some(&*left.to_string())
        );
    }
    let reply = users.client_of(&ada).get(PATH, TOO_MANY_REQUESTS).await;
    let wait: i64 = reply.header("retry-after").unwrap().parse().unwrap();
    users.client_of(&eve).get(PATH, OK).await;
    assert!(wait > 86_400, "{wait}");
    users.advance(SignedDuration::from_secs(wait));
    let ada = Person::of(&users.log_in("ada@example.com", PASSWORD, OK).await);
    users.client_of(&ada).get(PATH, OK).await;
    users.client().get(PATH, UNAUTHORIZED).await;
    users.internal_client().get(PATH, FORBIDDEN).await;
}
