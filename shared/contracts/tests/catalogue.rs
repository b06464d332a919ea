//! Every event type has a schema and a golden file, and they agree with the code.

#![expect(clippy::expect_used, reason = "all of it is tests")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use contracts::{
    Envelope, Stamp,
    events::{OrderPlaced, catalogue},
};
use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(folder_name: &str, event_type: &str) -> Value {
    let path = folder(folder_name).join(format!("{event_type}.json"));
    let text = fs::read_to_string(path).expect(event_type);
    serde_json::from_str(&text).expect(event_type)
}

#[test]
fn the_schemas_in_the_tree_are_those_of_the_types() {
    for event in catalogue() {
        let generated = serde_json::to_value(&event.schema).unwrap();
        let hint =
            "run `cargo run -p contracts --example schemas`, and see docs/events.md on changes";
        assert_eq!(
            read("schemas", event.event_type),
            generated,
            "{}: {hint}",
            event.event_type
        );
    }
}

#[test]
fn what_was_published_once_still_reads() {
    for event in catalogue() {
        let golden = read("golden", event.event_type);
        let envelope: Envelope = serde_json::from_value(golden.clone()).unwrap();
        assert_eq!(envelope.event_type, event.event_type);
        assert_eq!(envelope.source, event.source);
        assert_eq!(envelope.specversion, "1.0");
        assert!(
            (event.reads)(&envelope.data),
            "{} does not read",
            event.event_type
        );
        assert_eq!(
            serde_json::to_value(&envelope).unwrap(),
            golden,
            "{}",
            event.event_type
        );
    }
}

#[test]
fn a_chain_keeps_the_ids_of_its_client_and_not_where_it_began() {
    let mut first = read("golden", "order.placed");
    for name in ["clientrequestid", "clientcorrelationid", "sourceip"] {
        assert_eq!(first.get(name), None, "older events lack it");
    }
    first["clientrequestid"] = "ticket-1".into();
    first["clientcorrelationid"] = "chain-2".into();
    first["sourceip"] = "203.0.113.7".into();
    let first: Envelope = serde_json::from_value(first).unwrap();
    let cause = first.cause("advance-orders");
    assert_eq!(cause.correlation_id, first.correlationid);
    assert_eq!(cause.causation_id, first.id.to_string());
    assert_eq!(cause.client.request_id.as_deref(), Some("ticket-1"));
    assert_eq!(cause.client.correlation_id.as_deref(), Some("chain-2"));
    assert_eq!(cause.source_ip, None);
    let stamp = Stamp {
        id: first.id,
        time: first.time,
        cause,
    };
    let next = Envelope::new(&first.read::<OrderPlaced>().unwrap(), stamp);
    let next = serde_json::to_value(&next).unwrap();
    assert_eq!(next["clientrequestid"], "ticket-1");
    assert_eq!(next["clientcorrelationid"], "chain-2");
    assert_eq!(next.get("sourceip"), None);
}

#[test]
fn golden_files_fit_their_schemas() {
    for event in catalogue() {
        let schema = read("schemas", event.event_type);
        let data = read("golden", event.event_type)["data"].clone();
        let required = schema["required"].as_array().unwrap();
        for name in required {
            assert!(
                data.get(name.as_str().unwrap()).is_some(),
                "{}: {name}",
                event.event_type
            );
        }
        let known = schema["properties"].as_object().unwrap();
        for name in data.as_object().unwrap().keys() {
            assert!(
                known.contains_key(name),
                "{}: {name} is not in the schema",
                event.event_type
            );
        }
    }
}

#[test]
fn no_file_is_left_of_a_type_that_is_gone() {
    let types: BTreeSet<String> = catalogue()
        .iter()
        .map(|event| format!("{}.json", event.event_type))
        .collect();
    assert_eq!(types.len(), catalogue().len(), "a type is declared twice");
    for name in ["schemas", "golden"] {
        let files: BTreeSet<String> = fs::read_dir(folder(name))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(files, types, "{name}");
    }
}
