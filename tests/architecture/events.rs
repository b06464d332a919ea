//! Every subscribed event type exists, is published by the topic's service and is
//! documented, and every sample event is what triggers its function.

use std::collections::BTreeMap;

use contracts::{Envelope, events::catalogue};
use local::template::{Event, Template};
use runtime::Trigger;
use serde_json::Value;

use crate::support::{camel, functions, read, root, template};

/// The event types that each queue receives, with the topic of each.
fn subscribed(template: &Template) -> BTreeMap<String, Vec<(String, String)>> {
    let mut queues: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for subscription in &template.subscriptions {
        let policy: Value = serde_json::from_str(&subscription.attributes["FilterPolicy"]).unwrap();
        for event_type in policy["type"].as_array().expect("a filter on the type") {
            let event_type = event_type.as_str().unwrap().to_owned();
            queues
                .entry(subscription.queue.clone())
                .or_default()
                .push((event_type, subscription.topic.clone()));
        }
    }
    queues
}

#[test]
fn subscribed_event_types_are_published_by_the_service_of_the_topic() {
    let sources: BTreeMap<&str, &str> = catalogue()
        .iter()
        .map(|event| (event.event_type, event.source))
        .collect();
    for (queue, types) in subscribed(&template()) {
        for (event_type, topic) in types {
            let source = sources.get(event_type.as_str());
            let source = source.unwrap_or_else(|| {
                panic!("{queue} subscribes to {event_type}, which no service publishes")
            });
            let service = source.strip_prefix("emporium/").unwrap();
            assert_eq!(
                topic,
                format!("{}Topic", camel(service)),
                "{queue}: {event_type}"
            );
        }
    }
}

#[test]
fn every_event_type_is_documented() {
    let documented = read(&root().join("docs/events.md"));
    for event in catalogue() {
        let (family, last) = event.event_type.split_once('.').unwrap();
        let row = documented.lines().any(|line| {
            let cell = line.split('|').nth(1).unwrap_or_default();
            cell.contains(&format!("`{}`", event.event_type))
                || (cell.contains(&format!("`{family}.")) && cell.contains(&format!("`.{last}`")))
        });
        assert!(row, "docs/events.md has no {}", event.event_type);
    }
}

#[test]
fn every_sample_event_is_what_triggers_its_function() {
    let template = template();
    let subscribed = subscribed(&template);
    for (_, function) in functions() {
        let text = read(
            &root()
                .join("events")
                .join(format!("{}.json", function.name)),
        );
        let event: Value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", function.name));
        let spec = template
            .functions
            .iter()
            .find(|spec| spec.code_name == function.name)
            .unwrap();
        match &function.trigger {
            Trigger::Http(routes) => {
                assert_eq!(event["version"], "2.0", "{}", function.name);
                let method = event["requestContext"]["http"]["method"].as_str().unwrap();
                let path = event["rawPath"].as_str().unwrap();
                let matches = routes.iter().any(|route| {
                    route
                        .method
                        .as_ref()
                        .is_none_or(|m| m.as_str() == method && matches_route(route.path, path))
                });
                assert!(matches, "{}: {method} {path}", function.name);
            }
            Trigger::Authorizer => assert_eq!(event["type"], "REQUEST", "{}", function.name),
            Trigger::Queue => {
                let Some(Event::Queue(queue)) = spec.events.first() else {
                    panic!("no queue")
                };
                for record in event["Records"].as_array().expect("records") {
                    let body: Envelope =
                        serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
                    let received = &subscribed[&queue.queue];
                    let known = received
                        .iter()
                        .any(|(event_type, _)| *event_type == body.event_type);
                    assert!(
                        known,
                        "{}: {} is not subscribed",
                        function.name, body.event_type
                    );
                    let data = catalogue()
                        .into_iter()
                        .find(|e| e.event_type == body.event_type)
                        .unwrap();
                    assert!(
                        (data.reads)(&body.data),
                        "{}: the data is invalid",
                        function.name
                    );
                }
            }
            Trigger::Stream => {
                let image = &event["Records"][0]["dynamodb"]["NewImage"];
                let body = image["event"]["S"].as_str().expect("an outbox item");
                let _: Envelope = serde_json::from_str(body).unwrap();
            }
            Trigger::Schedule => assert_eq!(event["detail-type"], "Scheduled Event"),
            Trigger::Call => assert!(event["correlationId"].is_string(), "{}", function.name),
        }
    }
}

/// Whether a route matches a path: `/a/{id}` matches `/a/7`.
fn matches_route(route: &str, path: &str) -> bool {
    let (route, path): (Vec<_>, Vec<_>) = (route.split('/').collect(), path.split('/').collect());
    route.len() == path.len()
        && route
            .iter()
            .zip(path)
            .all(|(r, p)| r.starts_with('{') || *r == p)
}
