//! The meter: an HTTP proxy between the functions and the emulated services.
//!
//! Each function has its own addresses at the proxy, which identify it as the
//! caller. Requests are forwarded unchanged, except that DynamoDB is asked to
//! report what they consume.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use runtime::Environment;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{
    Error, clock,
    counts::{Call, Counts, Invocation, Place},
    units::charges,
};

/// The variables that configure the endpoints of services, and the services.
const SERVICES: [(&str, &str); 6] = [
    ("AWS_ENDPOINT_URL_DYNAMODB", "dynamodb"),
    ("AWS_ENDPOINT_URL_SQS", "sqs"),
    ("AWS_ENDPOINT_URL_SNS", "sns"),
    ("AWS_ENDPOINT_URL_SES", "ses"),
    ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "secretsmanager"),
    ("AWS_ENDPOINT_URL_LAMBDA", "lambda"),
];
/// Far above the largest request or response of any service.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Counts the calls that pass through it.
pub struct Meter {
    url: String,
    http: reqwest::Client,
    state: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The addresses at the proxy, by number.
    routes: Vec<Route>,
    callers: Vec<Caller>,
    counts: Counts,
    /// The number of subscriptions of each topic, by the end of its ARN.
    subscriptions: Vec<(String, u64)>,
    running: usize,
    /// When an invocation last began or ended.
    last_change: Option<Instant>,
}

#[derive(Clone)]
struct Route {
    caller: usize,
    service: &'static str,
    upstream: String,
}

/// A function and how long it has waited for AWS.
struct Caller {
    label: String,
    under_way: usize,
    since: Instant,
    waited: Duration,
}

impl Meter {
    /// Starts a meter on a free port.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start() -> Result<Arc<Self>, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let meter = Arc::new(Self {
            url: format!("http://{}", listener.local_addr()?),
            http: reqwest::Client::new(),
            state: Mutex::default(),
        });
        let router = Router::new().fallback(pass).with_state(meter.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(meter)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Points a function's environment at the meter, which counts its calls under
    /// a label; also returns the caller's number.
    pub fn through(&self, environment: &Environment, label: &str) -> (Environment, usize) {
        let mut inner = self.inner();
        let caller = inner.callers.len();
        inner.callers.push(Caller {
            label: label.to_owned(),
            under_way: 0,
            since: clock::now(),
            waited: Duration::ZERO,
        });
        let mut environment = environment.clone();
        for (variable, service) in SERVICES {
            if let Some(upstream) = environment.get(variable) {
                let route = Route {
                    caller,
                    service,
                    upstream: upstream.trim_end_matches('/').to_owned(),
                };
                let address = format!("{}/{}", self.url, inner.routes.len());
                inner.routes.push(route);
                environment = environment.with(variable, &address);
            }
        }
        (environment, caller)
    }

    /// Registers how many subscriptions filter the events of a topic.
    pub fn subscribe(&self, topic: &str, subscriptions: u64) {
        let topic = format!(":{topic}");
        self.inner().subscriptions.push((topic, subscriptions));
    }

    /// Counts the beginning of an invocation; returns how long its function has
    /// waited for AWS so far.
    pub fn begin(&self, caller: usize) -> Duration {
        let mut inner = self.inner();
        inner.running += 1;
        inner.last_change = Some(clock::now());
        inner.callers[caller].waited
    }

    /// Counts the end of an invocation. `waited` is what [`Meter::begin`]
    /// returned, and `wall` the time since then.
    pub fn end(&self, caller: usize, waited: Duration, wall: Duration, mut invocation: Invocation) {
        let mut inner = self.inner();
        inner.running -= 1;
        inner.last_change = Some(clock::now());
        let caller = &inner.callers[caller];
        invocation.own = wall.saturating_sub(caller.waited.saturating_sub(waited));
        let label = caller.label.clone();
        inner
            .counts
            .invocations
            .entry(label)
            .or_default()
            .push(invocation);
    }

    /// Counts a log line.
    pub fn logged(&self, bytes: usize) {
        let mut inner = self.inner();
        inner.counts.log_lines += 1;
        inner.counts.log_bytes += u64::try_from(bytes).unwrap_or_default();
    }

    /// Returns what was counted since the last call, and resets the counts.
    pub fn take(&self) -> Counts {
        std::mem::take(&mut self.inner().counts)
    }

    /// How long no function has run; `None` while one is running.
    pub fn idle_for(&self) -> Option<Duration> {
        let inner = self.inner();
        let since = inner
            .last_change
            .map_or(Duration::MAX, |last| last.elapsed());
        (inner.running == 0).then_some(since)
    }

    async fn forward(&self, request: Request) -> Result<Response, Error> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let (number, rest) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
        let route = self.inner().routes.get(number.parse::<usize>()?).cloned();
        let route = route.ok_or("unknown address at the meter")?;
        let mut body = to_bytes(body, BODY_BYTES_MAX).await?;
        let operation = operation(route.service, &parts.headers, rest, &body);
        let mut asked = Value::Null;
        if route.service == "dynamodb" {
            asked = serde_json::from_slice(&body)?;
            asked["ReturnConsumedCapacity"] = "INDEXES".into();
            body = Bytes::from(asked.to_string());
        }
        let mut headers = parts.headers;
        headers.remove(header::HOST);
        headers.remove(header::CONTENT_LENGTH);
        let sent = self
            .http
            .request(parts.method, format!("{}/{rest}", route.upstream))
            .headers(headers)
            .body(body.clone())
            .send()
            .await?;
        let (status, mut headers) = (sent.status(), sent.headers().clone());
        let reply = sent.bytes().await?;
        self.count(&route, &operation, &asked, &body, &reply);
        headers.remove(header::TRANSFER_ENCODING);
        let mut response = Response::new(Body::from(reply));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    fn count(&self, route: &Route, operation: &str, asked: &Value, body: &[u8], reply: &[u8]) {
        let mut guard = self.inner();
        let inner = &mut *guard;
        let function = inner.callers[route.caller].label.clone();
        let call = Call {
            function: function.clone(),
            service: route.service,
            operation: operation.to_owned(),
        };
        *inner.counts.calls.entry(call).or_default() += 1;
        match route.service {
            "dynamodb" => {
                let reply = serde_json::from_slice(reply).unwrap_or(Value::Null);
                for charge in charges(operation, asked, &reply) {
                    let index = charge.index.map(|index| format!("/{index}"));
                    let place = Place {
                        function: function.clone(),
                        operation: operation.to_owned(),
                        table: charge.table + &index.unwrap_or_default(),
                    };
                    *inner.counts.units.entry(place).or_default() += charge.units;
                }
            }
            "sns" => inner.count_events(body),
            _ => {}
        }
    }

    fn begin_wait(&self, caller: usize) {
        let mut inner = self.inner();
        let caller = &mut inner.callers[caller];
        if caller.under_way == 0 {
            caller.since = clock::now();
        }
        caller.under_way += 1;
    }

    fn end_wait(&self, caller: usize) {
        let mut inner = self.inner();
        let caller = &mut inner.callers[caller];
        caller.under_way -= 1;
        if caller.under_way == 0 {
            caller.waited += caller.since.elapsed();
        }
    }

    fn caller_of(&self, path: &str) -> Option<usize> {
        let number = path.trim_start_matches('/').split('/').next()?;
        let number: usize = number.parse().ok()?;
        self.inner().routes.get(number).map(|route| route.caller)
    }
}

impl Inner {
    /// Counts the events of a publish request, a form in the Query protocol.
    fn count_events(&mut self, body: &[u8]) {
        let (mut topic, mut bytes, mut events) = (String::new(), 0, 0);
        for (name, value) in form_urlencoded::parse(body) {
            if name == "TopicArn" {
                topic = value.into_owned();
            } else if name.ends_with(".Message") || name == "Message" {
                events += 1;
                bytes += value.len();
            }
        }
        let of_topic = self.subscriptions.iter();
        let mut of_topic = of_topic.filter(|(name, _)| topic.ends_with(name.as_str()));
        let subscriptions = of_topic.next().map_or(0, |(_, count)| *count);
        self.counts.events += events;
        self.counts.filtered_bytes += u64::try_from(bytes).unwrap_or_default() * subscriptions;
    }
}

/// The operation of a call, which each protocol states in a different place.
fn operation(service: &str, headers: &HeaderMap, path: &str, body: &[u8]) -> String {
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    if let Some((_, operation)) = target.and_then(|target| target.rsplit_once('.')) {
        return operation.to_owned();
    }
    if service == "lambda" {
        return path.rsplit('/').next().unwrap_or_default().to_owned();
    }
    let mut form = form_urlencoded::parse(body);
    let action = form.find(|(name, _)| name == "Action");
    action.map_or_else(String::new, |(_, value)| value.into_owned())
}

async fn pass(State(meter): State<Arc<Meter>>, request: Request) -> Response {
    let caller = meter.caller_of(request.uri().path());
    if let Some(caller) = caller {
        meter.begin_wait(caller);
    }
    let reply = meter.forward(request).await;
    if let Some(caller) = caller {
        meter.end_wait(caller);
    }
    reply.unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, error.to_string()).into_response())
}
