//! What is the same for every request: ids, access, limits, headers, the log
//! line. Concrete code, compiled once for all endpoints.

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Router,
    body::Body,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Collected};
use kernel::Actor;
use lambda_http::{Adapter, request::LambdaRequest};
use lambda_runtime::LambdaEvent;
use serde_json::value::{RawValue, to_raw_value};
use tower::{Service, ServiceExt, service_fn};
use tower_http::compression::{CompressionLayer, predicate::SizeAbove};

use super::{Access, ApiError, Caller, Edge, RequestInfo, SourceIp, draft, error::ErrorLog};
use crate::{
    BoxFuture, Environment, EnvironmentError, Error, Handler, Host, Stopwatch,
    metrics::REQUEST_LATENCY,
};

/// The largest body, in bytes: no request of the shop needs more.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// The smallest reply that is compressed, in bytes: below, it costs more than
/// it saves.
const COMPRESSED_BYTES_MIN: u64 = 1024;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Looks at a request before it is read: see [`super::Endpoint::guard`].
pub(super) type Guard =
    Arc<dyn Fn(SourceIp) -> BoxFuture<Result<HeaderMap, ApiError>> + Send + Sync>;

/// An HTTP function that has been started.
pub(super) struct Shell {
    function: &'static str,
    service: Arc<str>,
    access: Access,
    edge: Edge,
    guard: Option<Guard>,
    router: Router,
    host: Host,
}

impl Shell {
    pub(super) fn new(
        function: &'static str,
        access: Access,
        guard: Option<Guard>,
        router: Router,
        environment: &Environment,
    ) -> Result<Self, EnvironmentError> {
        Ok(Self {
            function,
            // For `X-Service`; the template sets the variable.
            service: environment.get("SERVICE").unwrap_or("emporium").into(),
            access,
            edge: Edge::from_environment(environment)?,
            guard,
            // Inside the router, where axum completes replies: it sets their
            // length, and empties those to HEAD.
            router: router
                .layer(from_fn(finish_draft))
                .layer(CompressionLayer::new().compress_when(SizeAbove::new(COMPRESSED_BYTES_MIN))),
            host: environment.host().clone(),
        })
    }

    pub(super) fn into_handler(self) -> Handler {
        let shell = Arc::new(self);
        Arc::new(move |event| Box::pin(shell.clone().invoke(event)))
    }

    async fn invoke(
        self: Arc<Self>,
        event: LambdaEvent<Box<RawValue>>,
    ) -> Result<Box<RawValue>, Error> {
        let request = LambdaRequest::ApiGatewayV2(serde_json::from_str(event.payload.get())?);
        let answer = service_fn(move |request: lambda_http::Request| {
            let shell = self.clone();
            async move { Ok::<_, Infallible>(into_lambda(shell.answer(request).await).await) }
        });
        let event = LambdaEvent {
            payload: request,
            context: event.context,
        };
        let reply = Adapter::from(answer).call(event).await?;
        Ok(to_raw_value(&reply)?)
    }

    async fn answer(&self, request: lambda_http::Request) -> Response {
        let stopwatch = Stopwatch::start();
        let info = RequestInfo::new(request.headers(), request.uri().path(), &self.host);
        let caller = Caller::of(&request);
        let actor = caller.actor();
        let method = request.method().clone();
        let if_none_match = request.headers().get(header::IF_NONE_MATCH).cloned();
        let (mut parts, body) = request.into_parts();

        let admitted = async {
            let client = self.edge.admit(&mut parts)?;
            let headers = self.admit(&caller, client, &body).await?;
            Ok((client, headers))
        };
        let mut response = match caught(admitted).await {
            Err(refused) => refused.into_response(),
            Ok((client, headers)) => {
                parts.extensions.insert(client);
                let routed = caught(self.route(info.clone(), caller, parts, body)).await;
                let mut response = routed.into_response();
                for (name, value) in &headers {
                    response.headers_mut().entry(name).or_insert(value.clone());
                }
                response
            }
        };
        // Of what did not pass the router; the rest is finished already.
        draft::finish(&info, &mut response);
        if method == Method::GET {
            not_modified(if_none_match.as_ref(), &mut response);
        }
        add_headers(&self.service, &info, &mut response);
        let failure = response.extensions_mut().remove::<ErrorLog>();
        self.log(&info, &method, actor, failure, response.status(), stopwatch);
        response
    }

    /// Whether the request may be routed; with headers for its reply.
    async fn admit(
        &self,
        caller: &Caller,
        client: SourceIp,
        body: &lambda_http::Body,
    ) -> Result<HeaderMap, ApiError> {
        self.access.decide(caller)?;
        if body.len() > BODY_BYTES_MAX {
            return Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "payload_too_large",
                format!("the body must not exceed {BODY_BYTES_MAX} bytes"),
            ));
        }
        match &self.guard {
            None => Ok(HeaderMap::new()),
            Some(guard) => guard(client).await,
        }
    }

    async fn route(
        &self,
        info: RequestInfo,
        caller: Caller,
        mut parts: Parts,
        body: lambda_http::Body,
    ) -> Result<Response, ApiError> {
        let body = match body {
            lambda_http::Body::Text(text) => Bytes::from(text),
            lambda_http::Body::Binary(bytes) => Bytes::from(bytes),
            _ => Bytes::new(),
        };
        parts.extensions.insert(caller);
        parts.extensions.insert(info);
        let request = axum::extract::Request::from_parts(parts, Body::from(body));
        let Ok(response) = self.router.clone().oneshot(request).await;
        match response.status() {
            // axum's own, empty replies; a handler's 404 and 405 have a body.
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
                if !response.headers().contains_key(header::CONTENT_TYPE) =>
            {
                Err(ApiError::not_found("route"))
            }
            _ => Ok(response),
        }
    }

    fn log(
        &self,
        info: &RequestInfo,
        method: &Method,
        actor: Actor,
        failure: Option<ErrorLog>,
        status: StatusCode,
        stopwatch: Stopwatch,
    ) {
        let (function, status) = (self.function, status.as_u16());
        let code = failure.as_ref().map(|failure| failure.code);
        let error = failure.and_then(|failure| failure.source);
        let (request_id, correlation_id, path) =
            (info.request_id(), info.correlation_id(), info.path());
        let client = info.client();
        let (client_request_id, client_correlation_id) = (
            client.request_id.as_deref(),
            client.correlation_id.as_deref(),
        );
        REQUEST_LATENCY.record_duration(&[&self.service], stopwatch.elapsed());
        let duration_ms = stopwatch.elapsed_ms();
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    function, %method, path, status, duration_ms, request_id, correlation_id,
                    client_request_id, client_correlation_id, %actor, code, error, "request"
                )
            };
        }
        if status >= 500 {
            line!(error)
        } else {
            line!(info)
        }
    }
}

async fn finish_draft(info: RequestInfo, request: axum::extract::Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    draft::finish(&info, &mut response);
    response
}

/// The outcome of some work, or 500 when it panics.
async fn caught<T>(work: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    outcome.unwrap_or_else(|_| Err(ApiError::internal("the handler panicked")))
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

/// Turns a reply that the client already has into 304 (RFC 9110, 13.1.2).
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
    let client = info.client();
    let named = [
        ("x-request-id", Some(info.request_id())),
        ("x-correlation-id", Some(info.correlation_id())),
        ("x-client-request-id", client.request_id.as_deref()),
        ("x-client-correlation-id", client.correlation_id.as_deref()),
        ("x-service", Some(service)),
    ];
    for (name, value) in named {
        if let Some(Ok(value)) = value.map(HeaderValue::from_str) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}
