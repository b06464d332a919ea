//! Stands in for an HTTP API of API Gateway: it matches the route, invokes the
//! authorizer and the function, and turns the result into a reply.

mod cors;
mod event;
mod reply;
mod routes;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderValue, Request, StatusCode, request::Parts},
    response::Response,
};
use serde_json::{Value, value::RawValue};
use tokio::sync::Semaphore;

use crate::{
    clock,
    functions::{Functions, InvokeError, Running},
    ids,
    template::{Cors, Event, Template},
};
use cors::CorsRequest;
use routes::{Parameters, Routes, Target};

/// API Gateway's limit.
const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// How many requests are handled at once; others wait. In AWS each would have an
/// execution environment of its own. Here they share one machine, and a burst
/// would make every call of the SDK exceed its timeout.
const CONCURRENCY_MAX: usize = 24;
/// API Gateway's limit for an integration.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The API.
pub(crate) struct Gateway {
    routes: Routes<Target>,
    cors: Option<Cors>,
    permits: Semaphore,
}

impl Gateway {
    pub(crate) fn new(template: &Template, functions: &Functions) -> Self {
        let authorizers = template.api.as_ref().map(|api| &api.authorizers);
        let mut targets = Vec::new();
        for function in functions.all() {
            for event in &function.spec.events {
                let Event::Http(route) = event else { continue };
                let authorizer = route
                    .authorizer
                    .as_ref()
                    .and_then(|name| authorizers?.get(name))
                    .and_then(|logical_id| functions.by_logical_id(logical_id))
                    .cloned();
                let target = Target {
                    route: route.clone(),
                    function: function.clone(),
                    authorizer,
                };
                targets.push((route.clone(), target));
            }
        }
        Self {
            routes: Routes::new(targets),
            cors: template.api.as_ref().and_then(|api| api.cors.clone()),
            permits: Semaphore::new(CONCURRENCY_MAX),
        }
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response {
        let cors_request = CorsRequest::of(request.method(), request.headers());
        let request_id = ids::request_id();
        let mut reply = self.route(request, &cors_request, &request_id).await;
        if let Some(cors) = &self.cors {
            cors::apply(cors, &cors_request, reply.headers_mut());
        }
        if let Ok(id) = HeaderValue::try_from(request_id) {
            reply.headers_mut().insert("apigw-requestid", id);
        }
        reply
    }

    async fn route(
        &self,
        request: Request<Body>,
        cors_request: &CorsRequest,
        request_id: &str,
    ) -> Response {
        let path = event::decoded_path(request.uri());
        let Some((target, parameters)) = self.routes.find(request.method().as_str(), &path) else {
            // The gateway answers only those preflight requests that match no
            // route. `$default` and `ANY` match, in AWS too: their function must
            // then reply to OPTIONS with a 2xx, or browsers block the request.
            if cors_request.is_preflight() && self.cors.is_some() {
                let mut reply = Response::new(Body::empty());
                *reply.status_mut() = StatusCode::NO_CONTENT;
                return reply;
            }
            return reply::message(StatusCode::NOT_FOUND, "Not Found");
        };
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
            return reply::message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        };
        let request = event::Request {
            method: &parts.method,
            uri: &parts.uri,
            version: parts.version,
            headers: &parts.headers,
            body: &body,
            source_ip: source_ip(&parts),
            request_id: request_id.to_owned(),
            at: clock::now(),
        };
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await.ok();
        let context = match &target.authorizer {
            None => None,
            Some(authorizer) => match authorize(authorizer, &request, target, &parameters).await {
                Ok(context) => Some(context),
                Err(denial) => return *denial,
            },
        };
        let event = event::proxy(&request, &target.route.key(), &parameters, context);
        match invoke(&target.function, &event).await {
            Ok(reply) => reply::from_function(&reply),
            Err(InvokeError::Failed { .. }) => reply::internal_error(),
            Err(InvokeError::TooLarge(_)) => {
                reply::message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large")
            }
            Err(InvokeError::TimedOut(_) | InvokeError::Throttled) => {
                reply::message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
            }
        }
    }
}

/// The authorizer's context, or the reply to a request that it denies.
async fn authorize(
    authorizer: &Arc<Running>,
    request: &event::Request<'_>,
    target: &Target,
    parameters: &Parameters,
) -> Result<Value, Box<Response>> {
    let event = event::authorizer(request, &target.route.key(), parameters);
    let reply = invoke(authorizer, &event)
        .await
        .map_err(|_| Box::new(reply::internal_error()))?;
    let mut reply: Value = serde_json::from_str(reply.get()).unwrap_or_default();
    match reply["isAuthorized"].as_bool() {
        Some(true) => Ok(reply["context"].take()),
        Some(false) => Err(Box::new(reply::message(StatusCode::FORBIDDEN, "Forbidden"))),
        None => Err(Box::new(reply::internal_error())),
    }
}

async fn invoke(function: &Arc<Running>, event: &Value) -> Result<Box<RawValue>, InvokeError> {
    let Ok(payload) = serde_json::value::to_raw_value(event) else {
        return Err(InvokeError::TooLarge(0));
    };
    match tokio::time::timeout(INTEGRATION_TIMEOUT, function.invoke(payload)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(InvokeError::TimedOut(INTEGRATION_TIMEOUT.as_secs())),
    }
}

fn source_ip(parts: &Parts) -> String {
    let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    address.map_or_else(
        || "127.0.0.1".to_owned(),
        |ConnectInfo(address)| address.ip().to_string(),
    )
}
