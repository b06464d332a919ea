//! What only a laptop has: a page that shows the shop at work, the mailbox, and
//! metrics for Prometheus.

mod state;

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::Response,
};
use serde::Serialize;

use crate::{cloud::RECEIVE_MAX, shop::Running};

/// Everything that is answered here rather than by a route.
const PREFIX: &str = "/_local/";

/// Where Prometheus looks unless it is told otherwise.
const METRICS: &str = "/metrics";
/// The text format of Prometheus.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The page; it needs nothing from anywhere else.
const PAGE: &str = include_str!("page.html");

/// Answers a local request; nothing when it is not one.
pub(crate) async fn answer(shop: &Running, method: &Method, uri: &Uri) -> Option<Response> {
    let path = uri.path();
    if path == METRICS && method == Method::GET {
        return Some(text(StatusCode::OK, METRICS_TYPE, metrics(shop).await));
    }
    if path == PREFIX.trim_end_matches('/') {
        let mut reply = text(StatusCode::PERMANENT_REDIRECT, "text/plain", String::new());
        reply
            .headers_mut()
            .insert(header::LOCATION, HeaderValue::from_static(PREFIX));
        return Some(reply);
    }
    let name = path.strip_prefix(PREFIX)?;
    let query = |wanted: &str| {
        form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.into_owned())
    };
    Some(match (method, name) {
        (&Method::GET, "") => text(StatusCode::OK, "text/html; charset=utf-8", PAGE.to_owned()),
        (&Method::GET, "state") => json(StatusCode::OK, &state::of(shop).await),
        (&Method::GET, "mailbox") => json(
            StatusCode::OK,
            &shop.cloud.mailbox.mails(query("to").as_deref()),
        ),
        (&Method::GET, "environment") => environment(shop, query("function").as_deref()),
        (&Method::POST, "redrive") => redrive(shop, query("queue").as_deref()).await,
        _ => json(
            StatusCode::NOT_FOUND,
            &serde_json::json!({"message": "Not Found"}),
        ),
    })
}

/// What a function finds in its environment, for who runs its binary by hand.
fn environment(shop: &Running, function: Option<&str>) -> Response {
    let Some(environment) = function.and_then(|name| shop.environment_of(name)) else {
        return json(
            StatusCode::NOT_FOUND,
            &serde_json::json!({"message": "there is no such function"}),
        );
    };
    let variables: BTreeMap<&str, &str> = environment.iter().collect();
    json(StatusCode::OK, &variables)
}

/// Every metric, with the queues as they are now.
async fn metrics(shop: &Running) -> String {
    for queue in &shop.template.queues {
        let dead_letters = state::holds_dead_letters(&shop.template, queue);
        if let Ok(depth) = shop.cloud.queues.depth(&queue.url()).await {
            shop.metrics.queue(&queue.logical_id, dead_letters, depth);
        }
    }
    shop.metrics.render()
}

/// How much one redrive moves at most, so that it ends.
const REDRIVE_MAX: usize = 10_000;

/// Moves what is in a dead-letter queue back to the queue that it came from.
async fn redrive(shop: &Running, name: Option<&str>) -> Response {
    let queues = &shop.template.queues;
    let wanted = |queue: &&crate::template::Queue| {
        Some(queue.logical_id.as_str()) == name || Some(queue.name.as_str()) == name
    };
    let Some(dead) = queues.iter().find(wanted) else {
        return json(
            StatusCode::NOT_FOUND,
            &serde_json::json!({"message": "there is no such queue"}),
        );
    };
    let source = queues
        .iter()
        .find(|queue| queue.dead_letter_queue.as_ref() == Some(&dead.logical_id));
    let Some(source) = source else {
        return json(
            StatusCode::CONFLICT,
            &serde_json::json!({"message": "it is no queue's dead-letter queue"}),
        );
    };
    let mut moved = 0;
    while moved < REDRIVE_MAX {
        let Ok(messages) = shop.cloud.queues.receive(&dead.url(), RECEIVE_MAX, 0).await else {
            break;
        };
        if messages.is_empty() {
            break;
        }
        for message in messages {
            let body = message.body.as_deref().unwrap_or_default();
            let receipt = message.receipt_handle.as_deref().unwrap_or_default();
            // First there, then gone from here: at worst it is in both.
            let sent = shop.cloud.queues.send(&source.url(), body).await;
            if sent.is_ok() && shop.cloud.queues.delete(&dead.url(), receipt).await.is_ok() {
                moved += 1;
            }
        }
    }
    json(
        StatusCode::OK,
        &serde_json::json!({"from": dead.logical_id, "to": source.logical_id, "moved": moved}),
    )
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_string(value).unwrap_or_default();
    text(status, "application/json", body)
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut reply = Response::new(Body::from(body));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
