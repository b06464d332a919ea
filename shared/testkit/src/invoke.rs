//! Requests and events, as the JSON that Lambda gets.

use contracts::{Envelope, calls::Call};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use kernel::{Role, SessionId, UserId};
use runtime::{Context, Error, Handler, LambdaEvent};
use serde_json::{Value, json, value::to_raw_value};

/// The address of clients that have no other (RFC 5737).
const SOURCE_IP: &str = "203.0.113.7";

use crate::{Service, new_id};

/// Sends requests to one function, or to a service's functions by their
/// routes, as one caller.
#[derive(Clone)]
pub struct Client {
    target: Target,
    authorizer: Value,
    headers: Vec<(String, String)>,
    source_ip: String,
}

#[derive(Clone)]
enum Target {
    Function(Handler),
    Service(Service),
}

/// What a function replied.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, `null` when there is none.
    pub body: Value,
}

impl Reply {
    /// A header, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The fields that the problem names, in its order.
    pub fn invalid_fields(&self) -> Vec<&str> {
        let errors = self.body["errors"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        errors
            .iter()
            .filter_map(|error| error["field"].as_str())
            .collect()
    }
}

impl Client {
    /// A client of one function, not signed in.
    pub fn new(handler: Handler) -> Self {
        Self::of(Target::Function(handler))
    }

    pub(crate) fn of_service(service: Service) -> Self {
        Self::of(Target::Service(service))
    }

    fn of(target: Target) -> Self {
        Self {
            target,
            authorizer: Value::Null,
            headers: Vec::new(),
            source_ip: SOURCE_IP.to_owned(),
        }
    }

    /// The same client as a signed-in person.
    #[must_use]
    pub fn as_user(&self, user_id: UserId, role: Role) -> Self {
        self.as_session(user_id, new_id(), role)
    }

    /// The same client as a signed-in person with a certain session.
    #[must_use]
    pub fn as_session(&self, user_id: UserId, session_id: SessionId, role: Role) -> Self {
        let authorizer = json!({
            "kind": "user", "userId": user_id, "sessionId": session_id, "role": role.as_str()
        });
        Self {
            authorizer,
            ..self.clone()
        }
    }

    /// The same person, who has not proven the account's address.
    #[must_use]
    pub fn as_unverified(&self) -> Self {
        let mut client = self.clone();
        client.authorizer["unverified"] = json!("true");
        client
    }

    /// The same client with the internal key.
    #[must_use]
    pub fn as_internal(&self) -> Self {
        Self {
            authorizer: json!({"kind": "internal"}),
            ..self.clone()
        }
    }

    /// The same client at another IP address.
    #[must_use]
    pub fn from_ip(&self, ip: &str) -> Self {
        Self {
            source_ip: ip.to_owned(),
            ..self.clone()
        }
    }

    /// The same client with one more header.
    #[must_use]
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.retain(|(have, _)| have != name);
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// `GET`, which has to have the expected status.
    #[track_caller]
    pub fn get(&self, path: &str, expected: StatusCode) -> impl Future<Output = Reply> + Send {
        self.send(Method::GET, path, None, expected)
    }

    /// `DELETE`, which has to have the expected status.
    #[track_caller]
    pub fn delete(&self, path: &str, expected: StatusCode) -> impl Future<Output = Reply> + Send {
        self.send(Method::DELETE, path, None, expected)
    }

    /// `POST` of JSON, which has to have the expected status.
    #[track_caller]
    pub fn post(
        &self,
        path: &str,
        body: &Value,
        expected: StatusCode,
    ) -> impl Future<Output = Reply> + Send {
        self.send(Method::POST, path, Some(body.to_string()), expected)
    }

    /// `PUT` of JSON, which has to have the expected status.
    #[track_caller]
    pub fn put(
        &self,
        path: &str,
        body: &Value,
        expected: StatusCode,
    ) -> impl Future<Output = Reply> + Send {
        self.send(Method::PUT, path, Some(body.to_string()), expected)
    }

    /// `PATCH` of JSON, which has to have the expected status.
    #[track_caller]
    pub fn patch(
        &self,
        path: &str,
        body: &Value,
        expected: StatusCode,
    ) -> impl Future<Output = Reply> + Send {
        self.send(Method::PATCH, path, Some(body.to_string()), expected)
    }

    /// Any request; fails the test when the status is not the expected one.
    #[track_caller]
    pub fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        expected: StatusCode,
    ) -> impl Future<Output = Reply> + Send + use<> {
        let caller = std::panic::Location::caller();
        let exchange = self.exchange(method, path, body);
        async move {
            let reply = exchange.await;
            assert_eq!(reply.status, expected, "{caller}: {}", reply.body);
            reply
        }
    }

    /// Any request, whatever its status turns out to be: for requests that
    /// race each other.
    #[track_caller]
    pub fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> impl Future<Output = Reply> + Send + use<> {
        let caller = std::panic::Location::caller();
        let event = self.event(&method, path, body);
        let (target, path) = (self.target.clone(), path.to_owned());
        async move {
            let handler = match target {
                Target::Function(handler) => handler,
                Target::Service(service) => {
                    let path = path.split('?').next().unwrap_or_default();
                    service.route(&method, path).await
                }
            };
            let reply = invoke(&handler, &event)
                .await
                .unwrap_or_else(|error| panic!("{caller}: the function failed: {error}"));
            read_reply(&reply)
        }
    }

    fn event(&self, method: &Method, path: &str, body: Option<String>) -> Value {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut headers = serde_json::Map::new();
        if body.is_some() {
            headers.insert("content-type".into(), "application/json".into());
        }
        for (name, value) in &self.headers {
            headers.insert(name.to_ascii_lowercase(), value.as_str().into());
        }
        let context = json!({
            "accountId": "000000000000", "apiId": "test", "stage": "$default",
            "requestId": "test", "routeKey": "$default", "domainName": "localhost",
            "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1_767_225_600_000_u64,
            "authorizer": {"lambda": self.authorizer},
            "http": {
                "method": method.as_str(), "path": path, "protocol": "HTTP/1.1",
                "sourceIp": self.source_ip, "userAgent": "testkit"
            }
        });
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
            "headers": headers, "requestContext": context, "body": body, "isBase64Encoded": false
        })
    }
}

fn read_reply(reply: &Value) -> Reply {
    let status = reply["statusCode"]
        .as_u64()
        .and_then(|n| u16::try_from(n).ok());
    let mut headers = HeaderMap::new();
    for part in ["headers", "multiValueHeaders"] {
        for (name, value) in reply[part].as_object().into_iter().flatten() {
            let text = value
                .as_str()
                .or_else(|| value[0].as_str())
                .unwrap_or_default();
            headers.insert(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(text).unwrap(),
            );
        }
    }
    let body = reply["body"].as_str().unwrap_or_default();
    if reply["isBase64Encoded"] == true {
        // Compressed: for whoever asked for it to look at.
        return Reply {
            status: StatusCode::from_u16(status.unwrap()).unwrap(),
            headers,
            body: body.into(),
        };
    }
    if let Some(length) = headers.get(http::header::CONTENT_LENGTH) {
        // One that is wrong breaks the connection of whoever believes it.
        let length: usize = length.to_str().unwrap().parse().unwrap();
        assert!(
            length == body.len() || body.is_empty(),
            "content-length {length} of a body of {} bytes",
            body.len()
        );
    }
    let body = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(body).unwrap()
    };
    Reply {
        status: StatusCode::from_u16(status.unwrap()).unwrap(),
        headers,
        body,
    }
}

/// Invokes a function with an event, JSON for JSON.
pub(crate) async fn invoke(handler: &Handler, event: &Value) -> Result<Value, Error> {
    let payload = to_raw_value(event).expect("an event serialises");
    let reply = handler(LambdaEvent::new(payload, Context::default())).await?;
    Ok(serde_json::from_str(reply.get())?)
}

/// Calls a function as another service does.
///
/// # Errors
/// What the function fails with.
pub async fn call<C: Call>(function: &Handler, call: &C) -> Result<C::Reply, Error> {
    let call = serde_json::to_value(call).expect("a call serialises");
    Ok(serde_json::from_value(invoke(function, &call).await?)?)
}

/// Runs a job, or a relay's sweep, as its schedule does; returns its report.
///
/// # Panics
/// When the job fails.
pub async fn run(job: &Handler) -> Value {
    let event = json!({ "source": "aws.scheduler" });
    invoke(job, &event).await.expect("the job succeeds")
}

/// Delivers events to a consumer in one batch, as SQS does; returns the indexes
/// of those that failed and would be delivered again.
pub async fn deliver(consumer: &Handler, events: &[Envelope]) -> Vec<usize> {
    let records: Vec<Value> = events
        .iter()
        .enumerate()
        .map(|(index, event)| {
            json!({
                "messageId": index.to_string(), "receiptHandle": "handle",
                "body": serde_json::to_string(event).unwrap(), "attributes": {},
                "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "eu-central-1",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:000000000000:test"
            })
        })
        .collect();
    let reply = invoke(consumer, &json!({ "Records": records })).await;
    let reply = reply.expect("a batch reply");
    let failures = reply["batchItemFailures"]
        .as_array()
        .expect("batchItemFailures");
    failures
        .iter()
        .map(|failure| failure["itemIdentifier"].as_str().unwrap().parse().unwrap())
        .collect()
}
