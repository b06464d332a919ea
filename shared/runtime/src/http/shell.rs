//! What is the same for every request: ids, access, limits, headers, the log
//! line. One concrete function for all endpoints.

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Collected};
use lambda_http::{Adapter, request::LambdaRequest};
use lambda_runtime::LambdaEvent;
use serde_json::value::{RawValue, to_raw_value};
use tower::{Service, ServiceExt, service_fn};
use tower_http::compression::{CompressionLayer, predicate::SizeAbove};

use super::{Access, ApiError, Caller, RequestInfo, error::ErrorLog, request::CURRENT};
use crate::{Environment, Error, Handler, log, metrics::REQUEST_LATENCY};

/// The largest body, in bytes: no request of the shop needs more.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// The smallest reply that is compressed, in bytes: below, it costs more than
/// it saves.
const COMPRESSED_BYTES_MIN: u64 = 1024;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The service's name for `X-Service`, from the variable that the template sets.
pub(super) fn service_name(environment: &Environment) -> Arc<str> {
    environment.get("SERVICE").unwrap_or("emporium").into()
}

/// An HTTP function's answer to invocations.
pub(super) fn handler(
    function: &'static str,
    service: Arc<str>,
    access: Access,
    router: Router,
) -> Handler {
    let router =
        router.layer(CompressionLayer::new().compress_when(SizeAbove::new(COMPRESSED_BYTES_MIN)));
    Arc::new(move |event| {
        let (router, service) = (router.clone(), service.clone());
        Box::pin(invoke(function, service, access, router, event))
    })
}

async fn invoke(
    function: &'static str,
    service: Arc<str>,
    access: Access,
    router: Router,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<Box<RawValue>, Error> {
    let request = LambdaRequest::ApiGatewayV2(serde_json::from_str(event.payload.get())?);
    let answer = service_fn(move |request: lambda_http::Request| {
        let (router, service) = (router.clone(), service.clone());
        async move {
            let response = answer(function, &service, access, router, request).await;
            Ok::<_, Infallible>(into_lambda(response).await)
        }
    });
    let event = LambdaEvent {
        payload: request,
        context: event.context,
    };
    let reply = Adapter::from(answer).call(event).await?;
    Ok(to_raw_value(&reply)?)
}

async fn answer(
    function: &'static str,
    service: &str,
    access: Access,
    router: Router,
    request: lambda_http::Request,
) -> Response {
    let started = Instant::now();
    let info = Arc::new(RequestInfo::of(request.headers(), request.uri().path()));
    let caller = Caller::of(&request);
    let actor = caller.actor();
    let method = request.method().clone();
    let asked = request.headers().get(header::IF_NONE_MATCH).cloned();

    let work = AssertUnwindSafe(decide_and_route(access, caller, router, request)).catch_unwind();
    let mut response = CURRENT
        .scope(info.clone(), async {
            work.await
                .unwrap_or_else(|_| ApiError::internal("the handler panicked").into_response())
        })
        .await;
    if method == Method::GET {
        not_modified(asked.as_ref(), &mut response);
    }
    add_headers(service, &info, &mut response);

    let failure = response.extensions_mut().remove::<ErrorLog>();
    let status = response.status().as_u16();
    let code = failure.as_ref().map(|failure| failure.code);
    let error = failure.and_then(|failure| failure.source);
    let (request_id, correlation_id, path) = (&info.request_id, &info.correlation_id, &info.path);
    REQUEST_LATENCY.record_duration(&[service], started.elapsed());
    let duration_ms = log::millis(started);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                function, %method, path, status, duration_ms, request_id, correlation_id, %actor,
                code, error, "request"
            )
        };
    }
    if status >= 500 {
        line!(error)
    } else {
        line!(info)
    }
    response
}

/// The reply with its body in one piece, as text unless it is compressed.
async fn into_lambda(response: Response) -> http::Response<lambda_http::Body> {
    let (parts, body) = response.into_parts();
    // A body of ours is in memory already: reading it does not fail.
    let bytes = body
        .collect()
        .await
        .map(Collected::to_bytes)
        .unwrap_or_default();
    let body = match String::from_utf8(bytes.into()) {
        Ok(text) if text.is_empty() => lambda_http::Body::Empty,
        Ok(text) => lambda_http::Body::Text(text),
        Err(binary) => lambda_http::Body::Binary(binary.into_bytes()),
    };
    http::Response::from_parts(parts, body)
}

async fn decide_and_route(
    access: Access,
    caller: Caller,
    router: Router,
    request: lambda_http::Request,
) -> Response {
    if let Err(refused) = access.decide(&caller) {
        return refused.into_response();
    }
    let (mut parts, body) = request.into_parts();
    let body = match body {
        lambda_http::Body::Text(text) => Bytes::from(text),
        lambda_http::Body::Binary(bytes) => Bytes::from(bytes),
        _ => Bytes::new(),
    };
    if body.len() > BODY_BYTES_MAX {
        return ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload_too_large",
            format!("the body must not be over {BODY_BYTES_MAX} bytes"),
        )
        .into_response();
    }
    parts.extensions.insert(caller);
    let request = http::Request::from_parts(parts, Body::from(body));
    let Ok(response) = router.oneshot(request).await;
    match response.status() {
        // axum's own, empty replies; a handler's 404 and 405 have a body.
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
            if !response.headers().contains_key(header::CONTENT_TYPE) =>
        {
            ApiError::not_found("route").into_response()
        }
        _ => response,
    }
}

/// Turns a reply that the client has already into 304 (RFC 9110, 13.1.2).
fn not_modified(asked: Option<&HeaderValue>, response: &mut Response) {
    let tag = response
        .headers()
        .get(header::ETAG)
        .and_then(|tag| tag.to_str().ok());
    let (Some(asked), Some(tag)) = (asked.and_then(|asked| asked.to_str().ok()), tag) else {
        return;
    };
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    if asked.trim() == "*" || asked.split(',').any(|one| opaque(one) == opaque(tag)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.headers_mut().remove(header::CONTENT_ENCODING);
    }
}

fn add_headers(service: &str, info: &RequestInfo, response: &mut Response) {
    let headers = response.headers_mut();
    headers.extend(info.take_reply_headers());
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::STRICT_TRANSPORT_SECURITY,
            "max-age=63072000; includeSubDomains",
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("x-version"), VERSION),
    ];
    for (name, value) in fixed {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    let named = [
        ("x-request-id", info.request_id.as_str()),
        ("x-correlation-id", info.correlation_id.as_str()),
        ("x-service", service),
    ];
    for (name, value) in named {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}
