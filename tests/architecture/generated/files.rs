//! Files that a new function needs and that follow from what it declares. What
//! exists is left alone: only what is missing is made.

use std::fs;

use local::template::{Event, Function as Spec, Template};
use runtime::{Function, Route, Trigger, http::Access};
use serde_json::Value;

use super::{Declared, Output};
use crate::support::root;

/// The one that all samples are about.
const SAMPLE_ID: &str = "01939b6a-0003-7000-8000-000000000003";
const ACCESS_TABLE: &str = "tests/shop/access.txt";

/// The files that are missing, and the access table with the rows it lacks.
pub(super) fn missing(declared: &[Declared], template: &Template) -> Vec<Output> {
    let mut outputs = Vec::new();
    for (service, function) in declared {
        let name = function.name;
        let mut add = |path: String, text: Option<String>| {
            if let Some(text) = text.filter(|_| !root().join(&path).exists()) {
                let path = path.into();
                outputs.push(Output { path, text });
            }
        };
        let binary = format!("functions/{service}/src/bin/{name}.rs");
        add(binary, Some(binary_of(service, function)));
        let sample =
            request_to(function).or_else(|| message_to(template.function(name)?, template));
        add(format!("events/{name}.json"), sample);
    }
    let written = fs::read_to_string(root().join(ACCESS_TABLE)).expect(ACCESS_TABLE);
    outputs.push(Output {
        path: ACCESS_TABLE.into(),
        text: with_rows(&written, declared),
    });
    outputs
}

fn binary_of(service: &str, function: &Function) -> String {
    let module = function.name.replace('-', "_");
    let events = root().join(format!("functions/{service}/src/events/{module}.rs"));
    let folder = if events.exists() { "events" } else { "api" };
    format!(
        "//! The function `{}`.

fn main() -> Result<(), runtime::Error> {{
    runtime::serve({service}::{folder}::{module}::function())
}}
",
        function.name
    )
}

/// A request to the first route of an endpoint.
fn request_to(function: &Function) -> Option<String> {
    let Trigger::Http(routes) = &function.trigger else {
        return None;
    };
    let route = routes.first()?;
    let method = route.method.as_ref()?.as_str();
    let names = parameters(route.path);
    let mut path = route.path.to_owned();
    for name in &names {
        path = path.replace(&format!("{{{name}}}"), SAMPLE_ID);
    }
    let has_body = matches!(method, "POST" | "PUT" | "PATCH");
    let content_type = if has_body {
        ",\n    \"content-type\": \"application/json\""
    } else {
        ""
    };
    let authorizer = authorizer_of(&route.access);
    let path_parameters: Vec<String> = names
        .iter()
        .map(|name| format!("    \"{name}\": \"{SAMPLE_ID}\""))
        .collect();
    let path_parameters = match path_parameters.as_slice() {
        [] => String::new(),
        some => format!("  \"pathParameters\": {{\n{}\n  }},\n", some.join(",\n")),
    };
    // In an empty shop: an empty body is invalid, and an id names nothing.
    let status = match (has_body, names.is_empty()) {
        (true, _) => 422,
        (false, false) => 404,
        (false, true) => 200,
    };
    let body = if has_body {
        "  \"body\": \"{}\",\n"
    } else {
        ""
    };
    Some(format!(
        r#"{{
  "version": "2.0",
  "routeKey": "{method} {}",
  "rawPath": "{path}",
  "rawQueryString": "",
  "headers": {{
    "accept": "application/json",
    "host": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
    "user-agent": "curl/8.5.0",
    "x-correlation-id": "sample-{}",
    "x-forwarded-for": "203.0.113.7",
    "x-forwarded-port": "443",
    "x-forwarded-proto": "https"{content_type}
  }},
  "requestContext": {{
    "accountId": "123456789012",
    "apiId": "a1b2c3d4e5",
    "domainName": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
    "domainPrefix": "a1b2c3d4e5",
    "http": {{
      "method": "{method}",
      "path": "{path}",
      "protocol": "HTTP/1.1",
      "sourceIp": "203.0.113.7",
      "userAgent": "curl/8.5.0"
    }},
    "requestId": "JKJaXmPLvHcESHA=",
    "routeKey": "{method} {}",
    "stage": "$default",
    "time": "21/Nov/2026:10:00:00 +0000",
    "timeEpoch": 1795255200000{authorizer}
  }},
{path_parameters}{body}  "isBase64Encoded": false,
  "expected": {{ "statusCode": {status} }}
}}
"#,
        route.path, function.name, route.path
    ))
}

/// A message to a consumer: the golden event of the first type it subscribes to.
pub(crate) fn message_to(spec: &Spec, template: &Template) -> Option<String> {
    let queue = spec.events.iter().find_map(|event| match event {
        Event::Queue(event) => Some(&event.queue),
        _ => None,
    })?;
    let subscription = template
        .subscriptions
        .iter()
        .find(|one| one.queue == *queue)?;
    let policy: Value = serde_json::from_str(subscription.attributes.get("FilterPolicy")?).ok()?;
    let golden = format!(
        "shared/contracts/golden/{}.json",
        policy["type"][0].as_str()?
    );
    let event: Value = serde_json::from_str(&fs::read_to_string(root().join(golden)).ok()?).ok()?;
    let body = Value::String(event.to_string());
    Some(format!(
        r#"{{
  "Records": [
    {{
      "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
      "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
      "body": {body},
      "attributes": {{
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1795255200500",
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "ApproximateFirstReceiveTimestamp": "1795255200510"
      }},
      "messageAttributes": {{}},
      "eventSource": "aws:sqs",
      "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:emporium-{queue}",
      "awsRegion": "eu-central-1"
    }}
  ],
  "expected": {{ "batchItemFailures": [] }}
}}
"#
    ))
}

/// What the authorizer passes on about a caller who has access.
fn authorizer_of(access: &Access) -> &'static str {
    match access {
        Access::Public => "",
        Access::SignedIn => {
            r#",
    "authorizer": {
      "lambda": {
        "kind": "user",
        "userId": "01939b6a-0000-7000-8000-00000000ada0",
        "sessionId": "01939b6a-0000-7000-8000-00000000ada1",
        "role": "user"
      }
    }"#
        }
        _ => {
            r#",
    "authorizer": {
      "lambda": {
        "kind": "internal"
      }
    }"#
        }
    }
}

fn parameters(path: &str) -> Vec<&str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .collect()
}

/// The table with a row for each route that has none. Rows that exist are never
/// changed: a test compares them with what functions let in.
fn with_rows(table: &str, declared: &[Declared]) -> String {
    let rows = |text: &str| -> Vec<Vec<String>> {
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                line.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .filter(|cells| cells.len() == 4)
            .collect()
    };
    let existing = rows(table);
    let mut text = table.to_owned();
    for (_, function) in declared {
        let Trigger::Http(routes) = &function.trigger else {
            continue;
        };
        for route in routes {
            let Some(method) = &route.method else {
                continue;
            };
            let is_there =
                |cells: &Vec<String>| cells[0] == method.as_str() && cells[1] == route.path;
            if !existing.iter().any(is_there) {
                let (who, whose) = who_and_whose(route, &existing);
                text.push_str(&format!(
                    "{:<10}{:<32}{who:<5}{whose}\n",
                    method.as_str(),
                    route.path
                ));
            }
        }
    }
    text
}

/// Who may call a route, and whose thing its `{id}` names: the same as in the
/// rows of other routes that begin so.
fn who_and_whose(route: &Route, existing: &[Vec<String>]) -> (&'static str, String) {
    let who = match route.access {
        Access::Public => "p",
        Access::SignedIn => "u",
        _ => "i",
    };
    let up_to_id = |path: &str| path.split_once('}').map(|(start, _)| start.to_owned());
    let start = up_to_id(route.path);
    let alike = existing
        .iter()
        .find(|cells| start.is_some() && cells[2] == who && up_to_id(&cells[1]) == start);
    (who, alike.map_or("-", |cells| cells[3].as_str()).to_owned())
}
