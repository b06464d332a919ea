//! Every role grants what its function calls, and nothing more. The roles are
//! generated; what is compared here is what the template reader finds in them.

use std::collections::BTreeSet;

use local::template::{Event, Function as Spec};
use runtime::Trigger;

use crate::support::{assert_same, camel, functions, template};

/// These two have no resource-level permissions (Service Authorization Reference,
/// AWS X-Ray). They are the only actions that a role may have on `*`.
const TRACING: [&str; 2] = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"];

type Grants = BTreeSet<(String, String)>;

/// What a function needs for its trigger, for logs and for traces.
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
                    // Failed messages are hidden longer each time.
                    "sqs:ChangeMessageVisibility",
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

/// A role's resource as `GRANTS` names it: a stream without its creation time, what
/// belongs to SES by its logical id.
fn plain(resource: &str) -> String {
    match (
        resource.split_once("/stream/"),
        [":identity/emporium-", ":configuration-set/emporium-"]
            .iter()
            .find_map(|kind| resource.split_once(kind)),
    ) {
        (Some((table, _)), _) => format!("{table}/stream"),
        (_, Some((_, logical_id))) => logical_id.to_owned(),
        _ => resource.to_owned(),
    }
}

#[test]
fn every_role_grants_exactly_what_its_function_declares() {
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
                "{}: {action} on {resource} is granted and not declared",
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
fn the_gateway_and_the_scheduler_may_invoke_exactly_what_they_trigger() {
    let template = template();
    let is_asked_by_gateway =
        |trigger: &Trigger| matches!(trigger, Trigger::Http(_) | Trigger::Authorizer);
    let is_scheduled = |trigger: &Trigger| matches!(trigger, Trigger::Stream | Trigger::Schedule);
    let expected = |is_triggered: &dyn Fn(&Trigger) -> bool| -> Grants {
        functions()
            .iter()
            .filter(|(_, function)| is_triggered(&function.trigger))
            .map(|(_, function)| {
                let id = format!("{}Function", camel(function.name));
                ("lambda:InvokeFunction".to_owned(), id)
            })
            .collect()
    };
    for (id, expected) in [
        ("ApiRole", expected(&is_asked_by_gateway)),
        ("SchedulerRole", expected(&is_scheduled)),
    ] {
        let role = template.roles.iter().find(|role| role.logical_id == id);
        let granted: Grants = role
            .unwrap_or_else(|| panic!("{id} is not in template.yaml: run make generate"))
            .statements
            .iter()
            .map(|statement| (statement.action.clone(), statement.resource.clone()))
            .collect();
        assert_eq!(granted, expected, "{id}");
    }
}

#[test]
fn there_are_no_roles_but_those_of_functions_the_gateway_and_the_scheduler() {
    let mut expected: BTreeSet<String> = functions()
        .iter()
        .map(|(_, function)| format!("{}Role", camel(function.name)))
        .collect();
    expected.extend(["ApiRole".to_owned(), "SchedulerRole".to_owned()]);
    let roles: BTreeSet<String> = template()
        .roles
        .into_iter()
        .map(|role| role.logical_id)
        .collect();
    assert_same(&expected, &roles, "roles", "in template.yaml");
}

#[test]
fn no_role_has_wildcards_or_managed_policies() {
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
fn only_relays_publish_and_no_service_uses_the_table_of_another() {
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
                assert_eq!(table, own, "{} uses another service's table", function.name);
            }
        }
    }
}
