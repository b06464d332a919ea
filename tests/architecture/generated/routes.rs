//! The paths of the API's OpenAPI document. Each names the role by which the
//! gateway invokes its function, so that none needs a permission of its own.

use std::collections::BTreeMap;

use runtime::Trigger;

use super::{Declared, resources::Resources};
use crate::support::camel;

/// What the paths are indented by in the template.
const INDENT: &str = "          ";

pub(super) fn routes(resources: &Resources, declared: &[Declared]) -> String {
    let mut paths: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for (_, function) in declared {
        let Trigger::Http(routes) = &function.trigger else {
            continue;
        };
        let id = format!("{}Function", camel(function.name));
        let address = if resources.has_alias(&id) {
            format!("{id}.Alias")
        } else {
            format!("{id}.Arn")
        };
        for route in routes {
            let method = route
                .method
                .as_ref()
                .map(|method| method.as_str().to_lowercase());
            let operation = operation(&address, route.access.needs_authorizer(), method.is_none());
            let method = method.unwrap_or_else(|| "x-amazon-apigateway-any-method".to_owned());
            let path = if route.path == "$default" {
                "/$default"
            } else {
                route.path
            };
            paths.entry(path).or_default().insert(method, operation);
        }
    }
    let mut text = String::new();
    for (path, operations) in paths {
        text.push_str(&format!("{INDENT}{path}:\n"));
        for (method, operation) in operations {
            text.push_str(&format!("{INDENT}  {method}:\n{operation}"));
        }
    }
    text
}

fn operation(address: &str, needs_authorizer: bool, is_default: bool) -> String {
    let mut lines = Vec::new();
    if is_default {
        lines.push("isDefaultRoute: true".to_owned());
    }
    // A public route names no scheme: API Gateway would look for one called NONE.
    if needs_authorizer {
        lines.push("security: [{ Session: [] }]".to_owned());
    }
    lines.extend([
        "responses: { default: { description: Reply of the function } }".to_owned(),
        "x-amazon-apigateway-integration:".to_owned(),
        "  type: aws_proxy".to_owned(),
        "  httpMethod: POST".to_owned(),
        "  payloadFormatVersion: '2.0'".to_owned(),
        "  credentials: !GetAtt ApiRole.Arn".to_owned(),
        format!(
            "  uri: !Sub arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/${{{address}}}/invocations"
        ),
    ]);
    let indented = lines.iter().map(|line| format!("{INDENT}    {line}\n"));
    indented.collect()
}
