//! What only a local shop has: a dashboard, the mailbox, and metrics for
//! Prometheus.

mod state;

use std::collections::BTreeMap;

use axum::{
    http::{Method, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::Serialize;
use serde_json::json;

use crate::{cloud::RECEIVE_MAX, services::Services, template::Queue};

/// The prefix of all paths that are answered here, apart from the metrics.
const PREFIX: &str = "/_local/";

/// Prometheus's default path.
const METRICS: &str = "/metrics";
/// Prometheus's text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Self-contained: it loads nothing from elsewhere.
const PAGE: &str = include_str!("index.html");

/// The most messages that one redrive moves, so that it ends even if they fail
/// again meanwhile.
const REDRIVE_MAX: usize = 10_000;

/// Answers a local request; `None` if it is for the gateway.
pub(crate) async fn answer(services: &Services, method: &Method, uri: &Uri) -> Option<Response> {
    let path = uri.path();
    if path == METRICS && method == Method::GET {
        let metrics = metrics(services).await;
        return Some(reply(StatusCode::OK, METRICS_TYPE, metrics));
    }
    if path == PREFIX.trim_end_matches('/') {
        return Some(Redirect::permanent(PREFIX).into_response());
    }
    let name = path.strip_prefix(PREFIX)?;
    let query = |wanted: &str| {
        form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.into_owned())
    };
    Some(match (method, name) {
        (&Method::GET, "") => reply(StatusCode::OK, "text/html; charset=utf-8", PAGE.to_owned()),
        (&Method::GET, "state") => json_reply(StatusCode::OK, &state::of(services).await),
        (&Method::GET, "mailbox") => json_reply(
            StatusCode::OK,
            &services.cloud.mailbox.mails(query("to").as_deref()),
        ),
        (&Method::GET, "environment") => environment(services, query("function").as_deref()),
        (&Method::POST, "redrive") => redrive(services, query("queue").as_deref()).await,
        _ => failure(StatusCode::NOT_FOUND, "Not Found"),
    })
}

/// A function's environment, for running its binary by hand.
fn environment(services: &Services, function: Option<&str>) -> Response {
    let Some(environment) = function.and_then(|name| services.environment_of(name)) else {
        return failure(StatusCode::NOT_FOUND, "no such function");
    };
    let variables: BTreeMap<&str, &str> = environment.iter().collect();
    json_reply(StatusCode::OK, &variables)
}

/// All metrics, with the current depths of the queues.
async fn metrics(services: &Services) -> String {
    for queue in &services.template.queues {
        let dead_letters = state::is_dead_letter_queue(&services.template, queue);
        if let Ok(depth) = services.cloud.queues.depth(&queue.url()).await {
            services
                .metrics
                .queue(&queue.logical_id, dead_letters, depth);
        }
    }
    services.metrics.render()
}

/// Moves the messages of a dead-letter queue back to its source queue.
async fn redrive(services: &Services, name: Option<&str>) -> Response {
    let queues = &services.template.queues;
    let wanted = |queue: &&Queue| {
        Some(queue.logical_id.as_str()) == name || Some(queue.name.as_str()) == name
    };
    let Some(dead) = queues.iter().find(wanted) else {
        return failure(StatusCode::NOT_FOUND, "no such queue");
    };
    let source = queues
        .iter()
        .find(|queue| queue.dead_letter_queue.as_ref() == Some(&dead.logical_id));
    let Some(source) = source else {
        return failure(StatusCode::CONFLICT, "not a dead-letter queue");
    };
    let moved = move_messages(services, dead, source).await;
    json_reply(
        StatusCode::OK,
        &json!({"from": dead.logical_id, "to": source.logical_id, "moved": moved}),
    )
}

async fn move_messages(services: &Services, dead: &Queue, source: &Queue) -> usize {
    let queues = &services.cloud.queues;
    let mut moved = 0;
    while moved < REDRIVE_MAX {
        let Ok(messages) = queues.receive(&dead.url(), RECEIVE_MAX, 0).await else {
            break;
        };
        if messages.is_empty() {
            break;
        }
        for message in messages {
            let body = message.body.as_deref().unwrap_or_default();
            let receipt = message.receipt_handle.as_deref().unwrap_or_default();
            // Send before deleting: at worst the message is in both queues.
            let sent = queues.send(&source.url(), body).await;
            if sent.is_ok() && queues.delete(&dead.url(), receipt).await.is_ok() {
                moved += 1;
            }
        }
    }
    moved
}

fn failure(status: StatusCode, message: &str) -> Response {
    json_reply(status, &json!({"message": message}))
}

fn json_reply(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_string(value).unwrap_or_default();
    reply(status, "application/json", body)
}

fn reply(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, body).into_response()
}
