//! API Gateway's event for a request, in payload format 2.0.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderValue, Method, Uri, Version, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::routes::Parameters;
use crate::template::names;

/// A request that has been received completely.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) version: Version,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) source_ip: String,
    pub(crate) request_id: String,
    pub(crate) at: Timestamp,
}

/// The percent-decoded path. Despite its name, an HTTP API's `rawPath` is decoded,
/// and routes are matched against it.
pub(crate) fn decoded_path(uri: &Uri) -> String {
    percent_decode_str(uri.path())
        .decode_utf8_lossy()
        .into_owned()
}

/// The event for the function behind a route.
pub(crate) fn proxy(
    request: &Request<'_>,
    route_key: &str,
    parameters: &Parameters,
    authorizer: Option<Value>,
) -> Value {
    let mut event = common(request, route_key, parameters);
    if let Some(context) = authorizer {
        event["requestContext"]["authorizer"] = json!({"lambda": context});
    }
    if !request.body.is_empty() {
        let text = is_text(request.headers)
            .then(|| std::str::from_utf8(request.body).ok())
            .flatten();
        event["body"] = match text {
            Some(text) => text.into(),
            None => STANDARD.encode(request.body).into(),
        };
        event["isBase64Encoded"] = text.is_none().into();
    } else {
        event["isBase64Encoded"] = false.into();
    }
    event
}

/// The event for a `REQUEST` authorizer without an identity source.
pub(crate) fn authorizer(request: &Request<'_>, route_key: &str, parameters: &Parameters) -> Value {
    let mut event = common(request, route_key, parameters);
    event["type"] = "REQUEST".into();
    event["identitySource"] = Value::Null;
    event["routeArn"] = format!(
        "arn:aws:execute-api:{}:{}:{}/$default/{}{}",
        names::REGION,
        names::ACCOUNT,
        names::API_ID,
        request.method,
        decoded_path(request.uri)
    )
    .into();
    event
}

fn common(request: &Request<'_>, route_key: &str, parameters: &Parameters) -> Value {
    let (headers, cookies) = headers(request);
    let path = decoded_path(request.uri);
    let query = request.uri.query().unwrap_or_default();
    let domain = request
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let agent = request
        .headers
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": names::ACCOUNT,
            "apiId": names::API_ID,
            "domainName": domain,
            "domainPrefix": domain.split(['.', ':']).next().unwrap_or_default(),
            "http": {
                "method": request.method.as_str(),
                "path": path,
                "protocol": format!("{:?}", request.version),
                "sourceIp": request.source_ip,
                "userAgent": agent,
            },
            "requestId": request.request_id,
            "routeKey": route_key,
            "stage": "$default",
            "time": request.at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": request.at.as_millisecond(),
        },
    });
    if !cookies.is_empty() {
        event["cookies"] = cookies.into();
    }
    if !query.is_empty() {
        event["queryStringParameters"] = Value::Object(query_parameters(query));
    }
    if !parameters.is_empty() {
        let parameters = parameters
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()));
        event["pathParameters"] = Value::Object(parameters.collect());
    }
    event
}

/// Headers, with repeated values joined by commas, and cookies separately.
fn headers(request: &Request<'_>) -> (BTreeMap<String, String>, Vec<String>) {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let cookies = request
        .headers
        .get_all(header::COOKIE)
        .iter()
        .map(text)
        .flat_map(|line| {
            line.split(';')
                .map(|cookie| cookie.trim().to_owned())
                .collect::<Vec<_>>()
        })
        .filter(|cookie| !cookie.is_empty())
        .collect();
    let mut headers: BTreeMap<String, String> = request
        .headers
        .keys()
        .filter(|name| *name != header::COOKIE)
        .map(|name| {
            let values = request.headers.get_all(name).iter().map(text);
            (name.to_string(), values.collect::<Vec<_>>().join(","))
        })
        .collect();
    let forwarded = match headers.get("x-forwarded-for") {
        Some(before) => format!("{before}, {}", request.source_ip),
        None => request.source_ip.clone(),
    };
    headers.insert("x-forwarded-for".to_owned(), forwarded);
    headers.insert("x-forwarded-proto".to_owned(), "http".to_owned());
    let port = request
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok()?.rsplit_once(':').map(|(_, port)| port));
    headers.insert(
        "x-forwarded-port".to_owned(),
        port.unwrap_or("80").to_owned(),
    );
    headers.insert(
        "x-amzn-trace-id".to_owned(),
        format!("Root=1-{}", request.request_id),
    );
    headers
        .entry("content-length".to_owned())
        .or_insert_with(|| request.body.len().to_string());
    (headers, cookies)
}

fn query_parameters(query: &str) -> Map<String, Value> {
    let mut parameters: Map<String, Value> = Map::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let joined = match parameters.get(name.as_ref()).and_then(Value::as_str) {
            Some(before) => format!("{before},{value}"),
            None => value.into_owned(),
        };
        parameters.insert(name.into_owned(), joined.into());
    }
    parameters
}

/// Whether a body is passed as text; any other is encoded as base64.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let kind = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    kind.starts_with("text/")
        || matches!(
            kind.as_str(),
            "application/json" | "application/xml" | "application/javascript"
        )
        || (kind.starts_with("application/") && (kind.ends_with("+json") || kind.ends_with("+xml")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(
        method: Method,
        uri: &str,
        headers: &[(&'static str, &'static str)],
        body: &[u8],
    ) -> Value {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let request = Request {
            method: &method,
            uri: &uri.parse().unwrap(),
            version: Version::HTTP_11,
            headers: &map,
            body,
            source_ip: "127.0.0.1".into(),
            request_id: "req-1".into(),
            at: "2026-03-12T19:03:58Z".parse().unwrap(),
        };
        proxy(
            &request,
            "POST /my/{id}",
            &vec![("id".into(), "pa th".into())],
            Some(json!({"sub": "u1"})),
        )
    }

    /// The example in AWS's documentation, with this gateway's addresses.
    #[test]
    fn an_event_matches_the_example_in_the_aws_documentation() {
        let event = event(
            Method::POST,
            "/my/pa%20th?parameter1=value1&parameter1=value2&parameter2=v%20w",
            &[
                ("host", "localhost:3000"),
                ("content-type", "application/json; charset=utf-8"),
                ("header1", "value1"),
                ("header2", "value1"),
                ("header2", "value2"),
                ("cookie", "cookie1=a; cookie2=b"),
                ("user-agent", "agent"),
            ],
            br#"{"a":1}"#,
        );
        let expected = json!({
            "version": "2.0",
            "routeKey": "POST /my/{id}",
            "rawPath": "/my/pa th",
            "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=v%20w",
            "cookies": ["cookie1=a", "cookie2=b"],
            "headers": {
                "content-length": "7",
                "content-type": "application/json; charset=utf-8",
                "header1": "value1",
                "header2": "value1,value2",
                "host": "localhost:3000",
                "user-agent": "agent",
                "x-amzn-trace-id": "Root=1-req-1",
                "x-forwarded-for": "127.0.0.1",
                "x-forwarded-port": "3000",
                "x-forwarded-proto": "http",
            },
            "queryStringParameters": {"parameter1": "value1,value2", "parameter2": "v w"},
            "pathParameters": {"id": "pa th"},
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "emporium",
                "authorizer": {"lambda": {"sub": "u1"}},
                "domainName": "localhost:3000",
                "domainPrefix": "localhost",
                "http": {
                    "method": "POST",
                    "path": "/my/pa th",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": "agent",
                },
                "requestId": "req-1",
                "routeKey": "POST /my/{id}",
                "stage": "$default",
                "time": "12/Mar/2026:19:03:58 +0000",
                "timeEpoch": 1_773_342_238_000_i64,
            },
            "body": "{\"a\":1}",
            "isBase64Encoded": false,
        });
        assert_eq!(event, expected);
    }

    #[test]
    fn forms_and_binary_bodies_are_base64_and_an_empty_body_is_absent() {
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let form = event(Method::POST, "/", &kind, b"a=b");
        assert_eq!(
            (&form["body"], &form["isBase64Encoded"]),
            (&json!("YT1i"), &json!(true))
        );
        let bytes = event(
            Method::POST,
            "/",
            &[("content-type", "text/plain")],
            &[0xff, 0xfe],
        );
        assert_eq!(
            (&bytes["body"], &bytes["isBase64Encoded"]),
            (&json!("//4="), &json!(true))
        );
        let none = event(Method::GET, "/", &[], b"");
        assert!(none.get("body").is_none() && none.get("queryStringParameters").is_none());
        assert_eq!(none["isBase64Encoded"], json!(false));
    }
}
