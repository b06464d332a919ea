//! Requests with an expected status, and their replies.

use std::{panic::Location, time::Duration};

use reqwest::{
    Method, StatusCode,
    header::{HeaderMap, HeaderValue},
};
use serde_json::Value;
use tokio::sync::Semaphore;

/// Longer than API Gateway lets any request take (30 s).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(35);

/// A reply whose body has been read.
#[derive(Debug)]
pub struct Reply {
    /// The path of the request.
    pub path: String,
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// The body as received, with the digits that numbers were sent with.
    pub text: String,
    /// The body as JSON, or as a string if it is not JSON.
    pub body: Value,
}

impl Reply {
    /// The value of a header, or an empty string.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The resource inside the success envelope.
    pub fn data(&self) -> &Value {
        &self.body["data"]
    }

    /// The items of a list.
    #[track_caller]
    pub fn items(&self) -> &[Value] {
        self.data().as_array().expect("the reply is not a list")
    }

    /// The id of the resource.
    #[track_caller]
    pub fn id(&self) -> String {
        let id = self.data()["id"].as_str();
        id.expect("the resource has no id").to_owned()
    }

    /// The cursor of the next page of a list, if there is one.
    pub fn next_cursor(&self) -> Option<&str> {
        self.body["meta"]["pagination"]["nextCursor"].as_str()
    }

    /// The fields that a validation error names.
    pub fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().into_iter().flatten();
        errors.filter_map(|error| error["field"].as_str()).collect()
    }
}

/// A client of one shop, with the headers that identify its caller.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base_url: String,
    headers: HeaderMap,
    concurrency: Option<&'static Semaphore>,
    check: Option<fn(&Reply)>,
}

impl Client {
    /// An anonymous client of the shop at a base URL.
    pub fn new(base_url: &str) -> Self {
        let http = reqwest::Client::builder().timeout(REQUEST_TIMEOUT);
        Self {
            http: http.build().expect("an HTTP client"),
            base_url: base_url.trim_end_matches('/').to_owned(),
            headers: HeaderMap::new(),
            concurrency: None,
            check: None,
        }
    }

    /// The shop it calls.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The same client with one more header on every request.
    pub fn with(&self, name: &'static str, value: &str) -> Self {
        let mut client = self.clone();
        let value = HeaderValue::from_str(value).expect("a header value");
        client.headers.insert(name, value);
        client
    }

    /// The same client with an access token.
    pub fn bearer(&self, token: &Value) -> Self {
        let token = token.as_str().expect("a token is a string");
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// The same client with the internal key.
    pub fn as_internal(&self, key: &str) -> Self {
        self.with("x-internal-key", key)
    }

    /// The same client with an idempotency key.
    pub fn with_key(&self, key: &str) -> Self {
        self.with("idempotency-key", key)
    }

    /// The same client, which waits for a permit before each request.
    #[must_use]
    pub fn limited_by(mut self, concurrency: &'static Semaphore) -> Self {
        self.concurrency = Some(concurrency);
        self
    }

    /// The same client, which passes every reply to a check.
    #[must_use]
    pub fn checked_by(mut self, check: fn(&Reply)) -> Self {
        self.check = Some(check);
        self
    }

    /// Sends a GET request.
    #[track_caller]
    pub fn get(&self, path: &str, expected: u16) -> impl Future<Output = Reply> + Send + use<> {
        self.send(Method::GET, path, None, expected)
    }

    /// Sends a DELETE request.
    #[track_caller]
    pub fn delete(&self, path: &str, expected: u16) -> impl Future<Output = Reply> + Send + use<> {
        self.send(Method::DELETE, path, None, expected)
    }

    /// Sends a POST request.
    #[track_caller]
    pub fn post(
        &self,
        path: &str,
        body: &Value,
        expected: u16,
    ) -> impl Future<Output = Reply> + Send + use<> {
        self.send(Method::POST, path, Some(body.to_string()), expected)
    }

    /// Sends a PUT request.
    #[track_caller]
    pub fn put(
        &self,
        path: &str,
        body: &Value,
        expected: u16,
    ) -> impl Future<Output = Reply> + Send + use<> {
        self.send(Method::PUT, path, Some(body.to_string()), expected)
    }

    /// Sends a PATCH request.
    #[track_caller]
    pub fn patch(
        &self,
        path: &str,
        body: &Value,
        expected: u16,
    ) -> impl Future<Output = Reply> + Send + use<> {
        self.send(Method::PATCH, path, Some(body.to_string()), expected)
    }

    /// Sends a request and panics unless the status is the expected one.
    #[track_caller]
    pub fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        expected: u16,
    ) -> impl Future<Output = Reply> + Send + use<> {
        let request = format!("{}: {method} {path}", Location::caller());
        let sent = self.request(method, path, body);
        async move {
            let reply = sent
                .await
                .unwrap_or_else(|error| panic!("{request}: {error}"));
            assert_eq!(reply.status.as_u16(), expected, "{request}: {}", reply.text);
            reply
        }
    }

    /// Sends a request and returns the reply, whatever its status.
    pub fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> impl Future<Output = reqwest::Result<Reply>> + Send + use<> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base_url));
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        // After the default, so that a test can send another content type.
        let request = request.headers(self.headers.clone());
        let (path, concurrency, check) = (path.to_owned(), self.concurrency, self.check);
        async move {
            let _permit = match concurrency {
                Some(concurrency) => Some(concurrency.acquire().await.expect("never closed")),
                None => None,
            };
            let response = request.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let text = response.text().await?;
            let body = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.clone()));
            let reply = Reply {
                path,
                status,
                headers,
                text,
                body,
            };
            if let Some(check) = check {
                check(&reply);
            }
            Ok(reply)
        }
    }
}
