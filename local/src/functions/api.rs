//! Lambda's Invoke API, for functions that call others.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use percent_encoding::percent_decode_str;
use serde_json::{json, value::RawValue};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{Functions, InvokeError, PAYLOAD_BYTES_MAX, invoke_async};
use crate::{cloud::StopSignal, ids};

/// Serves `POST /2015-03-31/functions/{name}/invocations`.
pub(crate) fn serve(
    listener: TcpListener,
    functions: Arc<Functions>,
    stop: StopSignal,
) -> JoinHandle<()> {
    let router = Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        // Payloads over Lambda's limit must reach the handler to get Lambda's error.
        .layer(DefaultBodyLimit::max(2 * PAYLOAD_BYTES_MAX))
        .with_state(functions);
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // Nagle's algorithm would delay small replies by 40 ms.
        let _ = stream.set_nodelay(true);
    });
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router)
            .with_graceful_shutdown(stop.wait())
            .await
        {
            tracing::error!(%error, "the Invoke API failed");
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
        return error_reply(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message);
    };
    let text = if body.is_empty() {
        "{}".into()
    } else {
        String::from_utf8_lossy(&body)
    };
    let Ok(payload) = RawValue::from_string(text.into_owned()) else {
        return error_reply(
            StatusCode::BAD_REQUEST,
            "InvalidRequestContentException",
            "Could not parse request body into json",
        );
    };
    let invocation_type = headers
        .get("x-amz-invocation-type")
        .and_then(|value| value.to_str().ok());
    match invocation_type.unwrap_or("RequestResponse") {
        "DryRun" => return reply(StatusCode::NO_CONTENT, String::new()),
        "Event" => {
            invoke_async(function.clone(), payload);
            return reply(StatusCode::ACCEPTED, String::new());
        }
        _ => {}
    }
    let version = [("x-amz-executed-version", "$LATEST")];
    match function.invoke(payload).await {
        Ok(result) => {
            let body = String::from(Box::<str>::from(result));
            (version, reply(StatusCode::OK, body)).into_response()
        }
        Err(error @ InvokeError::Throttled) => error_reply(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequestsException",
            &error.to_string(),
        ),
        Err(error @ InvokeError::TooLarge(_)) => error_reply(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestTooLargeException",
            &error.to_string(),
        ),
        Err(error) => {
            let unhandled = [("x-amz-function-error", "Unhandled")];
            let reply = reply(StatusCode::OK, error.report().to_string());
            (version, unhandled, reply).into_response()
        }
    }
}

fn error_reply(status: StatusCode, error_type: &str, message: &str) -> Response {
    let body = json!({"Type": "User", "Message": message, "message": message});
    let header = [("x-amzn-errortype", error_type)];
    (header, reply(status, body.to_string())).into_response()
}

fn reply(status: StatusCode, body: String) -> Response {
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    let request_id = [("x-amzn-requestid", ids::request_id())];
    (status, content_type, request_id, body).into_response()
}
