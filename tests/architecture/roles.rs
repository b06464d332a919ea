//! Every role grants what its function calls, and nothing more.

use std::collections::BTreeSet;

use local::template::{Event, Function as Spec};

use crate::support::{camel, functions, template};

/// What a trace needs. AWS has no resource to name for these two (Service
/// Authorization Reference, AWS X-Ray), so they are all that a role may have on
/// `*`.
const TRACING: [&str; 2] = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"];

type Grants = BTreeSet<(String, String)>;

/// What a function needs because of what triggers it, to log and to trace.
fn needed_by_triggers(service: &str, spec: &Spec) -> Grants {
    let mut needed = Grants::new();
    let mut add = |action: &str, resource: String| {
        needed.insert((action.to_owned(), resource));
    };
    for action in ["logs:CreateLogStream", "logs:PutLogEvents"] {
        add(action, format!("{}Logs", camel(service)));
    }
    for action in TRACING {
        add(action, "*".to_owned());
    }
    for event in &spec.events {
        match event {
            Event::Queue(queue) => {
                for action in [
                    "sqs:ReceiveMessage",
                    "sqs:DeleteMessage",
                    "sqs:GetQueueAttributes",
                ] {
                    add(action, queue.queue.clone());
                }
            }
            Event::Stream(stream) => {
                for action in [
                    "DescribeStream",
                    "GetRecords",
                    "GetShardIterator",
                    "ListStreams",
                ] {
                    add(
                        &format!("dynamodb:{action}"),
                        format!("{}/stream", stream.table),
                    );
                }
                if let Some(queue) = &stream.on_failure {
                    add("sqs:SendMessage", queue.clone());
                }
            }
            Event::Http(_) | Event::Schedule(_) => {}
        }
    }
    needed
}

/// What a role names, as `GRANTS` does: a stream without the time it was made,
/// an SES identity by the resource that makes it.
fn plain(resource: &str) -> String {
    match (
        resource.split_once("/stream/"),
        resource.split_once(":identity/emporium-"),
    ) {
        (Some((table, _)), _) => format!("{table}/stream"),
        (_, Some((_, identity))) => identity.to_owned(),
        _ => resource.to_owned(),
    }
}

#[test]
fn every_role_grants_what_its_function_calls_and_nothing_more() {
    let template = template();
    let mut wrong = Vec::new();
    for (service, function) in functions() {
        let spec = template
            .functions
            .iter()
            .find(|spec| spec.code_name == function.name)
            .unwrap();
        let mut needed = needed_by_triggers(service, spec);
        for grant in function.grants {
            needed.insert((grant.action.to_owned(), grant.resource.to_owned()));
        }
        let granted: Grants = spec
            .statements
            .iter()
            .map(|statement| (statement.action.clone(), plain(&statement.resource)))
            .collect();
        for (action, resource) in needed.difference(&granted) {
            wrong.push(format!(
                "{}: {action} on {resource} is not granted",
                spec.logical_id
            ));
        }
        for (action, resource) in granted.difference(&needed) {
            wrong.push(format!(
                "{}: {action} on {resource} is granted and not called",
                spec.logical_id
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "template.yaml and GRANTS differ:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn no_role_is_wide() {
    for role in template().roles {
        assert!(
            role.managed_policies.is_empty(),
            "{} has a managed policy",
            role.logical_id
        );
        for statement in role.statements {
            if TRACING.contains(&statement.action.as_str()) && statement.resource == "*" {
                continue;
            }
            let wide = statement.action.contains('*') || statement.resource.contains('*');
            assert!(
                !wide,
                "{}: {} on {}",
                role.logical_id, statement.action, statement.resource
            );
        }
    }
}

#[test]
fn only_relays_publish_and_each_service_has_its_own_table() {
    for (service, function) in functions() {
        for grant in function.grants {
            if grant.action == "sns:Publish" {
                assert!(
                    function.name.starts_with("relay-"),
                    "{} publishes",
                    function.name
                );
            }
            let table = grant.resource.split('/').next().unwrap();
            let own = format!("{}Table", camel(service));
            if grant.action.starts_with("dynamodb:") && service != "edge" {
                assert_eq!(
                    table, own,
                    "{} reads another service's table",
                    function.name
                );
            }
        }
    }
}
