//! What API Gateway's HTTP API does, and no more: it finds the route, asks the
//! authorizer, hands the request to the function and its reply to the client.

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
    template::{Cors, Event, Template},
};
use cors::Asked;
use routes::{Parameters, Routes, Target};

/// API Gateway's own limit.
const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Requests that are worked on at once; more wait. In AWS each would have an
/// environment of its own; here they share one machine, and without a bound a
/// burst only makes every call of the SDK run into its timeout.
const REQUESTS_AT_ONCE_MAX: usize = 24;
/// API Gateway waits no longer than this for a function.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The API.
pub(crate) struct Gateway {
    routes: Routes<Target>,
    cors: Option<Cors>,
    turns: Semaphore,
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
            turns: Semaphore::new(REQUESTS_AT_ONCE_MAX),
        }
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response {
        let asked = Asked::by(request.method(), request.headers());
        let request_id = uuid::Uuid::new_v4().to_string();
        let mut reply = self.route(request, &asked, &request_id).await;
        if let Some(cors) = &self.cors {
            cors::apply(cors, &asked, reply.headers_mut());
        }
        if let Ok(id) = HeaderValue::try_from(request_id) {
            reply.headers_mut().insert("apigw-requestid", id);
        }
        reply
    }

    async fn route(&self, request: Request<Body>, asked: &Asked, request_id: &str) -> Response {
        let path = event::decoded_path(request.uri());
        let Some((target, parameters)) = self.routes.find(request.method().as_str(), &path) else {
            // Only a preflight that no route takes is answered here. `$default`
            // and `ANY` take it, in AWS too: their function must then answer
            // OPTIONS with a 2xx, or browsers give up.
            if asked.is_preflight() && self.cors.is_some() {
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
        // Never closed; and a request that cannot wait is better than none.
        let _turn = self.turns.acquire().await.ok();
        let context = match &target.authorizer {
            None => None,
            Some(authorizer) => match authorize(authorizer, &request, target, &parameters).await {
                Ok(context) => Some(context),
                Err(refusal) => return *refusal,
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

/// The context that the authorizer gives, or the reply to a request that it
/// does not let through.
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
