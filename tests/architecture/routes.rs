//! Declaration and template agree on every route and on who may call it.

use std::collections::BTreeSet;

use local::template::Event;
use runtime::{Trigger, http::Access};

use crate::support::{functions, read, root, template};

#[test]
fn every_route_is_in_the_template_with_the_authorizer_that_its_access_requires() {
    let template = template();
    let api = template.api.as_ref().expect("an API");
    assert_eq!(api.authorizers.keys().collect::<Vec<_>>(), ["Session"]);
    for (_, function) in functions() {
        let spec = template
            .functions
            .iter()
            .find(|spec| spec.code_name == function.name)
            .unwrap_or_else(|| {
                panic!(
                    "{} is not in template.yaml: run make generate",
                    function.name
                )
            });
        let declared: BTreeSet<(String, bool)> = match &function.trigger {
            Trigger::Http(routes) => routes
                .iter()
                .map(|route| {
                    let method = route.method.as_ref().map(|method| format!("{method} "));
                    let key = format!("{}{}", method.unwrap_or_default(), route.path);
                    (key, route.access.needs_authorizer())
                })
                .collect(),
            _ => BTreeSet::new(),
        };
        let templated: BTreeSet<(String, bool)> = spec
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Http(route) => Some((route.key(), route.authorizer.is_some())),
                _ => None,
            })
            .collect();
        assert_eq!(declared, templated, "{}", function.name);
    }
}

#[test]
fn functions_are_triggered_as_they_declare() {
    let template = template();
    for (_, function) in functions() {
        let spec = template
            .functions
            .iter()
            .find(|spec| spec.code_name == function.name)
            .unwrap_or_else(|| {
                panic!(
                    "{} is not in template.yaml: run make generate",
                    function.name
                )
            });
        let queue = spec
            .events
            .iter()
            .any(|event| matches!(event, Event::Queue(_)));
        let stream = spec
            .events
            .iter()
            .any(|event| matches!(event, Event::Stream(_)));
        let schedule = spec
            .events
            .iter()
            .any(|event| matches!(event, Event::Schedule(_)));
        let expected = match function.trigger {
            Trigger::Http(_) | Trigger::Call | Trigger::Authorizer => (false, false, false),
            Trigger::Queue => (true, false, false),
            Trigger::Stream => (false, true, true),
            Trigger::Schedule => (false, false, true),
        };
        assert_eq!((queue, stream, schedule), expected, "{}", function.name);
        for event in &spec.events {
            match event {
                Event::Queue(queue) => assert!(queue.report_failures, "{}", function.name),
                Event::Stream(stream) => {
                    assert!(stream.report_failures && stream.bisect, "{}", function.name);
                    assert!(
                        stream.retries_max.is_some(),
                        "{} retries for ever",
                        function.name
                    );
                    assert!(
                        stream.on_failure.is_some(),
                        "{} loses records that it gives up on",
                        function.name
                    );
                }
                _ => {}
            }
        }
    }
}

#[test]
fn every_route_is_documented_with_its_access() {
    let documented = read(&root().join("docs/api.md"));
    for (_, function) in functions() {
        let Trigger::Http(routes) = &function.trigger else {
            continue;
        };
        for route in routes.iter().filter(|route| route.method.is_some()) {
            let method = route.method.as_ref().unwrap();
            let row = documented.lines().find(|line| {
                let cell = line.split('|').nth(1).unwrap_or_default();
                cell.contains(&format!("`{method} ")) && cell.contains(&format!("{}`", route.path))
            });
            let row = row.unwrap_or_else(|| panic!("docs/api.md has no {method} {}", route.path));
            let who = row.split('|').nth(2).unwrap().trim();
            let expected = match route.access {
                Access::Public => "p",
                Access::SignedIn => "u",
                Access::AdminOrInternal => "i",
            };
            assert_eq!(who, expected, "{method} {}", route.path);
        }
    }
}

/// A client that gets no reply repeats its request, and has to know what that does.
#[test]
fn every_write_is_documented_with_what_a_repetition_does_and_keys_are_where_they_are_said_to_be() {
    let documented = read(&root().join("docs/api.md"));
    let (_, section) = documented.split_once("### Repeating a write").unwrap();
    let (section, _) = section.split_once("\n#").unwrap();
    for (service, function) in functions() {
        let Trigger::Http(routes) = &function.trigger else {
            continue;
        };
        for route in routes {
            let Some(method) = &route.method else {
                continue;
            };
            if !["POST", "PUT", "PATCH"].contains(&method.as_str()) {
                continue;
            }
            let name = format!("`{method} {}`", route.path);
            let rows: Vec<&str> = section.lines().filter(|row| row.contains(&name)).collect();
            let [row] = rows[..] else {
                panic!("docs/api.md has {} rows for {name}", rows.len());
            };
            let class = row.split('|').nth(2).unwrap().trim();
            assert!(
                ["key", "once", "bounded", "secret"].contains(&class),
                "{name}: {class}"
            );
            let folder = root().join("functions").join(service).join("src/api");
            let handler = folder.join(format!("{}.rs", function.name.replace('-', "_")));
            let takes_key = read(&handler).contains("Idempotent<");
            if takes_key || method == "POST" {
                assert_eq!(takes_key, class == "key", "{name}");
            }
        }
    }
}

#[test]
fn queues_hide_messages_for_all_retries_and_have_a_dead_letter_queue() {
    let template = template();
    for function in &template.functions {
        for event in &function.events {
            let Event::Queue(event) = event else { continue };
            let queue = template
                .queues
                .iter()
                .find(|q| q.logical_id == event.queue)
                .unwrap();
            // AWS: at least six times the function's timeout.
            assert!(
                queue.visibility >= function.timeout * 6,
                "{}",
                queue.logical_id
            );
            assert!(queue.dead_letter_queue.is_some(), "{}", queue.logical_id);
        }
    }
    for subscription in &template.subscriptions {
        assert!(
            subscription.dead_letter_queue.is_some(),
            "{}",
            subscription.logical_id
        );
        assert_eq!(subscription.attributes["RawMessageDelivery"], "true");
        assert_eq!(subscription.attributes["FilterPolicyScope"], "MessageBody");
    }
}
