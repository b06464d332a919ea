//! The meter: an HTTP proxy between the functions and the embedded services.
//!
//! Each function has addresses of its own at the proxy, so that what it calls
//! is known to be called by it. Requests pass as they are, but that those to
//! DynamoDB are asked to say what they consume.

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
    Error,
    counts::{Call, Counts, Invocation, Place},
    units::charges,
};

/// The variables that tell a function where services are, and their names here.
const SERVICES: [(&str, &str); 6] = [
    ("AWS_ENDPOINT_URL_DYNAMODB", "dynamodb"),
    ("AWS_ENDPOINT_URL_SQS", "sqs"),
    ("AWS_ENDPOINT_URL_SNS", "sns"),
    ("AWS_ENDPOINT_URL_SES", "ses"),
    ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "secretsmanager"),
    ("AWS_ENDPOINT_URL_LAMBDA", "lambda"),
];
/// The largest request or reply of any of them is far below.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Counts what passes through it.
pub struct Meter {
    url: String,
    http: reqwest::Client,
    state: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Who calls which service where.
    lines: Vec<Line>,
    callers: Vec<Caller>,
    counts: Counts,
    /// Subscriptions of a topic, by the end of its ARN.
    subscriptions: Vec<(String, u64)>,
    running: usize,
    moved: Option<Instant>,
}

#[derive(Clone)]
struct Line {
    caller: usize,
    service: &'static str,
    upstream: String,
}

/// A function, and how long it has waited for AWS.
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
    /// When there is no port.
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

    /// The environment of a function, with its calls going through the meter
    /// under its label; and the caller's number.
    pub fn through(&self, environment: &Environment, label: &str) -> (Environment, usize) {
        let mut inner = self.inner();
        let caller = inner.callers.len();
        inner.callers.push(Caller {
            label: label.to_owned(),
            under_way: 0,
            since: Instant::now(),
            waited: Duration::ZERO,
        });
        let mut environment = environment.clone();
        for (variable, service) in SERVICES {
            if let Some(upstream) = environment.get(variable) {
                let line = Line {
                    caller,
                    service,
                    upstream: upstream.trim_end_matches('/').to_owned(),
                };
                let address = format!("{}/{}", self.url, inner.lines.len());
                inner.lines.push(line);
                environment = environment.with(variable, &address);
            }
        }
        (environment, caller)
    }

    /// Says how many subscriptions filter what is published to a topic.
    pub fn subscribe(&self, topic: &str, subscriptions: u64) {
        let topic = format!(":{topic}");
        self.inner().subscriptions.push((topic, subscriptions));
    }

    /// Counts an invocation that begins; gives how long its function has
    /// waited for AWS until now.
    pub fn begin(&self, caller: usize) -> Duration {
        let mut inner = self.inner();
        inner.running += 1;
        inner.moved = Some(Instant::now());
        inner.callers[caller].waited
    }

    /// Counts an invocation that has ended. `waited` is what [`Meter::begin`]
    /// gave, `wall` the time since.
    pub fn end(&self, caller: usize, waited: Duration, wall: Duration, mut done: Invocation) {
        let mut inner = self.inner();
        inner.running -= 1;
        inner.moved = Some(Instant::now());
        let caller = &inner.callers[caller];
        done.own = wall.saturating_sub(caller.waited.saturating_sub(waited));
        let label = caller.label.clone();
        inner
            .counts
            .invocations
            .entry(label)
            .or_default()
            .push(done);
    }

    /// Counts a log line.
    pub fn logged(&self, bytes: usize) {
        let mut inner = self.inner();
        inner.counts.log_lines += 1;
        inner.counts.log_bytes += u64::try_from(bytes).unwrap_or_default();
    }

    /// Everything counted since the last time, which is forgotten.
    pub fn take(&self) -> Counts {
        std::mem::take(&mut self.inner().counts)
    }

    /// How long nothing has run; `None` while something does.
    pub fn quiet_for(&self) -> Option<Duration> {
        let inner = self.inner();
        let since = inner.moved.map_or(Duration::MAX, |moved| moved.elapsed());
        (inner.running == 0).then_some(since)
    }

    async fn forward(&self, request: Request) -> Result<Response, Error> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let (number, rest) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
        let line = self.inner().lines.get(number.parse::<usize>()?).cloned();
        let line = line.ok_or("no such address at the meter")?;
        let mut body = to_bytes(body, BODY_BYTES_MAX).await?;
        let operation = operation(line.service, &parts.headers, rest, &body);
        let mut asked = Value::Null;
        if line.service == "dynamodb" {
            asked = serde_json::from_slice(&body)?;
            asked["ReturnConsumedCapacity"] = "INDEXES".into();
            body = Bytes::from(asked.to_string());
        }
        let mut headers = parts.headers;
        headers.remove(header::HOST);
        headers.remove(header::CONTENT_LENGTH);
        let sent = self
            .http
            .request(parts.method, format!("{}/{rest}", line.upstream))
            .headers(headers)
            .body(body.clone())
            .send()
            .await?;
        let (status, mut headers) = (sent.status(), sent.headers().clone());
        let reply = sent.bytes().await?;
        self.count(&line, &operation, &asked, &body, &reply);
        headers.remove(header::TRANSFER_ENCODING);
        let mut response = Response::new(Body::from(reply));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    fn count(&self, line: &Line, operation: &str, asked: &Value, body: &[u8], reply: &[u8]) {
        let mut guard = self.inner();
        let inner = &mut *guard;
        let function = inner.callers[line.caller].label.clone();
        let call = Call {
            function: function.clone(),
            service: line.service,
            operation: operation.to_owned(),
        };
        *inner.counts.calls.entry(call).or_default() += 1;
        match line.service {
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
            "sns" => inner.published(body),
            _ => {}
        }
    }

    fn waits(&self, caller: usize) {
        let mut inner = self.inner();
        let caller = &mut inner.callers[caller];
        if caller.under_way == 0 {
            caller.since = Instant::now();
        }
        caller.under_way += 1;
    }

    fn goes_on(&self, caller: usize) {
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
        self.inner().lines.get(number).map(|line| line.caller)
    }
}

impl Inner {
    /// Counts the events of a PublishBatch: a form, as the Query protocol has it.
    fn published(&mut self, body: &[u8]) {
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

/// The operation of a call: each protocol says it elsewhere.
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
        meter.waits(caller);
    }
    let reply = meter.forward(request).await;
    if let Some(caller) = caller {
        meter.goes_on(caller);
    }
    reply.unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, error.to_string()).into_response())
}
