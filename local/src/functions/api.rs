//! Lambda's Invoke API, for the functions that call others.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::post,
};
use percent_encoding::percent_decode_str;
use serde_json::{json, value::RawValue};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{Functions, InvokeError, PAYLOAD_BYTES_MAX, invoke_later};
use crate::cloud::Stop;

/// Serves `POST /2015-03-31/functions/{name}/invocations`.
pub(crate) fn serve(
    listener: TcpListener,
    functions: Arc<Functions>,
    stop: Stop,
) -> JoinHandle<()> {
    let router = Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        // Larger ones get Lambda's own refusal.
        .layer(DefaultBodyLimit::max(2 * PAYLOAD_BYTES_MAX))
        .with_state(functions);
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // Replies are small; waiting to fill a packet would cost 40 ms.
        let _ = stream.set_nodelay(true);
    });
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router)
            .with_graceful_shutdown(stop.wait())
            .await
        {
            tracing::error!(%error, "the Invoke API has failed");
        }
    })
}

async fn invoke(
    State(functions): State<Arc<Functions>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let name = percent_decode_str(&name).decode_utf8_lossy();
    let Some(function) = functions.by_name(&name) else {
        let message = format!("Function not found: {name}");
        return refusal(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message);
    };
    let text = if body.is_empty() {
        "{}".into()
    } else {
        String::from_utf8_lossy(&body)
    };
    let Ok(payload) = RawValue::from_string(text.into_owned()) else {
        let message = "Could not parse request body into json";
        return refusal(
            StatusCode::BAD_REQUEST,
            "InvalidRequestContentException",
            message,
        );
    };
    let kind = headers
        .get("x-amz-invocation-type")
        .and_then(|kind| kind.to_str().ok());
    match kind.unwrap_or("RequestResponse") {
        "DryRun" => return reply(StatusCode::NO_CONTENT, &[], Body::empty()),
        "Event" => {
            invoke_later(function.clone(), payload);
            return reply(StatusCode::ACCEPTED, &[], Body::empty());
        }
        _ => {}
    }
    match function.invoke(payload).await {
        Ok(answer) => {
            let headers = [("x-amz-executed-version", "$LATEST")];
            reply(
                StatusCode::OK,
                &headers,
                Body::from(String::from(Box::<str>::from(answer))),
            )
        }
        Err(error @ InvokeError::Throttled) => refusal(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequestsException",
            &error.to_string(),
        ),
        Err(error @ InvokeError::TooLarge(_)) => refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestTooLargeException",
            &error.to_string(),
        ),
        Err(error) => {
            let headers = [
                ("x-amz-function-error", "Unhandled"),
                ("x-amz-executed-version", "$LATEST"),
            ];
            reply(
                StatusCode::OK,
                &headers,
                Body::from(error.report().to_string()),
            )
        }
    }
}

fn refusal(status: StatusCode, kind: &str, message: &str) -> Response {
    let body = json!({"Type": "User", "Message": message, "message": message});
    reply(
        status,
        &[("x-amzn-errortype", kind)],
        Body::from(body.to_string()),
    )
}

fn reply(status: StatusCode, headers: &[(&'static str, &str)], body: Body) -> Response {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    let request_id = uuid::Uuid::new_v4().to_string();
    let common = [
        ("content-type", "application/json"),
        ("x-amzn-requestid", request_id.as_str()),
    ];
    for (name, value) in headers.iter().copied().chain(common) {
        if let Ok(value) = value.parse() {
            reply.headers_mut().insert(name, value);
        }
    }
    reply
}
