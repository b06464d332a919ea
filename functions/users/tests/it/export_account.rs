//! Everything that the shop holds on a person, as one JSON.

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
use testkit::{Client, status::*};
use users::api;

use crate::shop::{PASSWORD, Person, Shop};

const PATH: &str = "/api/users/export";

/// The other services' functions: pages of two for orders, of three for
/// notifications, or a failure.
#[derive(Clone, Default)]
struct Others {
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    broken: Option<&'static str>,
    large: bool,
}

const FIRST: &str = "01936d30-0000-7000-8000-000000000201";
const SECOND: &str = "01936d30-0000-7000-8000-000000000202";

async fn answer(
    State(others): State<Others>,
    Path(name): Path<String>,
    // The SDK says that it is an octet stream.
    body: Bytes,
) -> (HeaderMap, Json<Value>) {
    let call: Value = serde_json::from_slice(&body).unwrap();
    others
        .asked
        .lock()
        .unwrap()
        .push((name.clone(), call.clone()));
    let mut headers = HeaderMap::new();
    if others.broken == Some(&name) {
        let name = HeaderName::from_static("x-amz-function-error");
        headers.insert(name, HeaderValue::from_static("Unhandled"));
        return (headers, Json(json!({"errorMessage": "broken"})));
    }
    let first = call["after"].is_null();
    let next = if first { json!(FIRST) } else { Value::Null };
    let filler = if others.large {
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

/// A client of the function, with the others as they are.
async fn exporting(shop: &Shop, others: &Others) -> Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let path = "/2015-03-31/functions/{name}/invocations";
    let router = Router::new()
        .route(path, post(answer))
        .with_state(others.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let environment = [
        ("AWS_ENDPOINT_URL_LAMBDA", url.as_str()),
        ("EXPORT_ORDERS_FUNCTION", "export-orders"),
        ("EXPORT_PAYMENTS_FUNCTION", "export-payments"),
        ("EXPORT_NOTIFICATIONS_FUNCTION", "export-notifications"),
    ]
    .into_iter()
    .fold(shop.table.environment(), |environment, (name, value)| {
        environment.with(name, value)
    });
    let function = api::export_account::function_at(shop.clock.clone());
    Client::new(function.start(environment).await.unwrap())
}

#[tokio::test]
async fn a_person_gets_all_there_is_from_every_service() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    shop.register("eve@example.com").await;
    shop.log_in("ada@example.com", PASSWORD, OK).await;
    let address = json!({"name": "Ada L.", "line1": "12 St James's Square", "city": "London",
        "postalCode": "SW1Y 4JH", "country": "GB"});
    let addresses = ada.client(&shop.add_address);
    addresses
        .post("/api/users/addresses", &address, CREATED)
        .await;
    let others = Others::default();
    let client = exporting(&shop, &others).await;
    let reply = ada.client(&client).get(PATH, OK).await;
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
    // Nothing of others, and nothing that proves who somebody is.
    let text = reply.body.to_string().to_lowercase();
    let secrets = ["eve@", "argon2", "hash", "sealed", "verificationtoken"];
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let asked = others.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 5, "{asked:?}");
    for (_, call) in asked {
        assert_eq!(call["userId"], ada.id.to_string());
        assert!(!call["correlationId"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn half_an_export_is_none() {
    for broken in ["export-orders", "export-payments", "export-notifications"] {
        let shop = Shop::open().await;
        let ada = shop.register("ada@example.com").await;
        let others = Others {
            broken: Some(broken),
            ..Others::default()
        };
        let client = exporting(&shop, &others).await;
        let reply = ada.client(&client).get(PATH, SERVICE_UNAVAILABLE).await;
        assert_eq!(reply.body["service"], broken.trim_start_matches("export-"));
        assert!(reply.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn what_does_not_fit_into_a_reply_is_refused_in_time() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let others = Others {
        large: true,
        ..Others::default()
    };
    let client = exporting(&shop, &others).await;
    let reply = ada.client(&client).get(PATH, CONFLICT).await;
    assert_eq!(reply.body["code"], "export_too_large");
}

#[tokio::test]
async fn ten_a_day_are_enough() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let eve = shop.register("eve@example.com").await;
    let client = exporting(&shop, &Others::default()).await;
    for left in (0..10).rev() {
        let reply = ada.client(&client).get(PATH, OK).await;
        assert_eq!(
            reply.header("ratelimit-remaining"),
            Some(&*left.to_string())
        );
    }
    let reply = ada.client(&client).get(PATH, TOO_MANY_REQUESTS).await;
    let wait: i64 = reply.header("retry-after").unwrap().parse().unwrap();
    eve.client(&client).get(PATH, OK).await;
    assert!(wait > 86_400, "{wait}");
    shop.clock.advance(SignedDuration::from_secs(wait));
    let ada = Person::of(&shop.log_in("ada@example.com", PASSWORD, OK).await);
    ada.client(&client).get(PATH, OK).await;
    client.get(PATH, UNAUTHORIZED).await;
    client.as_internal().get(PATH, FORBIDDEN).await;
}
