//! A function's result as an HTTP reply, in response format 2.0.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json, value::RawValue};

/// A reply of the gateway itself: `{"message": …}`.
pub(crate) fn message(status: StatusCode, text: &str) -> Response {
    json(status, json!({"message": text}).to_string())
}

/// API Gateway's reply if a function fails or returns a malformed result.
pub(crate) fn internal_error() -> Response {
    message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

/// The HTTP reply for a function's result.
pub(crate) fn from_function(result: &RawValue) -> Response {
    let value: Value = serde_json::from_str(result.get()).unwrap_or_default();
    match value.get("statusCode") {
        Some(status) => structured(status, &value).unwrap_or_else(internal_error),
        // A result without a status is the body.
        None => {
            let body = match value {
                Value::String(text) => text,
                _ => result.get().to_owned(),
            };
            json(StatusCode::OK, body)
        }
    }
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Like an HTTP API in format 2.0, this ignores `multiValueHeaders`.
fn structured(status: &Value, value: &Value) -> Option<Response> {
    let status = status.as_u64().or_else(|| status.as_str()?.parse().ok())?;
    let status = StatusCode::from_u16(u16::try_from(status).ok()?).ok()?;
    let body = match value.get("body") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) if value["isBase64Encoded"] == Value::Bool(true) => {
            STANDARD.decode(text).ok()?
        }
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(_) => return None,
    };
    let mut reply = Response::new(Body::from(body));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    for (name, value) in value
        .get("headers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let name = HeaderName::try_from(name.as_str()).ok()?;
        // The server sets these, for the body and connection that it uses.
        if name != header::CONTENT_LENGTH
            && name != header::CONNECTION
            && name != header::TRANSFER_ENCODING
        {
            headers.insert(name, HeaderValue::try_from(text).ok()?);
        }
    }
    for cookie in value
        .get("cookies")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        headers.append(
            header::SET_COOKIE,
            HeaderValue::try_from(cookie.as_str()?).ok()?,
        );
    }
    headers
        .entry(header::CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("text/plain;charset=UTF-8"));
    Some(reply)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn reply(value: Value) -> (u16, Vec<(String, String)>, String) {
        let raw = serde_json::value::to_raw_value(&value).unwrap();
        let reply = from_function(&raw);
        let status = reply.status().as_u16();
        let headers = reply.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        (status, headers, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn a_structured_result_sets_status_headers_cookies_and_body() {
        let (status, headers, body) = reply(json!({
            "statusCode": 201,
            "headers": {"Location": "/a", "content-type": "application/json", "content-length": "999"},
            "multiValueHeaders": {"location": ["/ignored"]},
            "cookies": ["a=1", "b=2"],
            "body": "e30=",
            "isBase64Encoded": true,
        }))
        .await;
        assert_eq!((status, body.as_str()), (201, "{}"));
        let header = |name: &str| {
            headers
                .iter()
                .filter(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!(header("location"), ["/a"]);
        assert_eq!(header("content-type"), ["application/json"]);
        assert_eq!(header("set-cookie"), ["a=1", "b=2"]);
        assert!(header("content-length").is_empty());
    }

    #[tokio::test]
    async fn any_other_result_is_the_body() {
        assert_eq!(reply(json!("hello")).await.2, "hello");
        let (status, headers, body) = reply(json!({"a": 1})).await;
        assert_eq!((status, body.as_str()), (200, r#"{"a":1}"#));
        assert_eq!(
            headers,
            [("content-type".to_owned(), "application/json".to_owned())]
        );
    }

    #[tokio::test]
    async fn a_malformed_result_is_an_internal_server_error() {
        for malformed in [
            json!({"statusCode": "many"}),
            json!({"statusCode": 99_999}),
            json!({"statusCode": 200, "body": {"not": "a string"}}),
            json!({"statusCode": 200, "body": "%", "isBase64Encoded": true}),
            json!({"statusCode": 200, "headers": {"a b": "c"}}),
        ] {
            let (status, _, body) = reply(malformed.clone()).await;
            assert_eq!(
                (status, body.as_str()),
                (500, r#"{"message":"Internal Server Error"}"#),
                "{malformed}"
            );
        }
    }
}
