use serde_json::json;

use super::*;
use crate::metrics::{self, Dependency, Metric};

const PLACED: metrics::Counter = metrics::Counter(Metric {
    name: "Placed",
    unit: Some(Unit::Count),
    labels: &[],
    help: "",
});
const FAILED: metrics::Counter = metrics::Counter(Metric {
    name: "Failed",
    unit: Some(Unit::Count),
    labels: &["Reason"],
    help: "",
});
const LATENCY: metrics::Histogram = metrics::Histogram(Metric {
    name: "Latency",
    unit: Some(Unit::Milliseconds),
    labels: &["Service"],
    help: "",
});
const DEPTH: metrics::Gauge = metrics::Gauge(Metric {
    name: "Depth",
    unit: None,
    labels: &[],
    help: "",
});

fn emf() -> Emf {
    let shop = [("SHOP_STACK".to_owned(), "shop-1".to_owned())];
    Emf::new("place-order", &shop.into_iter().collect())
}

/// What is counted by `count`, as lines.
fn lines(emf: &Emf, count: impl FnOnce()) -> Vec<Value> {
    ::metrics::with_local_recorder(emf, count);
    let now = Timestamp::from_millisecond(1_795_255_200_123).unwrap();
    let text = emf.flush("request-1", now);
    assert!(text.is_empty() || text.ends_with('\n'));
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    lines.iter().for_each(assert_valid);
    lines
}

/// The rules of the format's specification: its JSON Schema and its limits.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
fn assert_valid(line: &Value) {
    const UNITS: [&str; 5] = ["Seconds", "Milliseconds", "Bytes", "Count", "None"];
    let text = |value: &Value| {
        let text = value.as_str().expect("a text").to_owned();
        assert!((1..=1024).contains(&text.len()), "{line}");
        text
    };
    assert!(line.to_string().len() <= 1024 * 1024);
    assert!(line["_aws"]["Timestamp"].as_u64().is_some(), "{line}");
    let directives = line["_aws"]["CloudWatchMetrics"]
        .as_array()
        .expect("a list");
    assert!(!directives.is_empty());
    let mut names = Vec::new();
    for directive in directives {
        let namespace = text(&directive["Namespace"]);
        assert!(!namespace.starts_with("AWS/") && namespace.trim() == namespace);
        for set in directive["Dimensions"].as_array().expect("dimension sets") {
            let set = set.as_array().expect("a dimension set");
            assert!((1..=30).contains(&set.len()), "{line}");
            for name in set {
                let value = text(&line[text(name)]);
                assert!(value.is_ascii() && !value.trim().is_empty(), "{line}");
            }
        }
        let metrics = directive["Metrics"].as_array().expect("metrics");
        assert!((1..=100).contains(&metrics.len()));
        for metric in metrics {
            let name = text(&metric["Name"]);
            if let Some(unit) = metric.get("Unit") {
                assert!(UNITS.contains(&unit.as_str().unwrap()), "{line}");
            }
            match &line[&name] {
                Value::Number(_) => {}
                Value::Array(values) => {
                    assert!((1..=100).contains(&values.len()), "{line}");
                    assert!(values.iter().all(Value::is_number), "{line}");
                }
                other => panic!("{name} is {other}"),
            }
            names.push(name);
        }
    }
    let many = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), many, "a metric twice in {line}");
}

#[test]
fn an_invocation_is_one_line_with_a_directive_for_each_set_of_dimensions() {
    let found = lines(&emf(), || {
        PLACED.increment(&[]);
        PLACED.increment(&[]);
        LATENCY.record(&["orders"], 12.5);
    });
    let wanted = json!({
        "_aws": {
            "Timestamp": 1_795_255_200_123_u64,
            "CloudWatchMetrics": [
                {
                    "Namespace": "Emporium",
                    "Dimensions": [["Shop"]],
                    "Metrics": [{"Name": "Placed", "Unit": "Count"}]
                },
                {
                    "Namespace": "Emporium",
                    "Dimensions": [["Shop", "Service"]],
                    "Metrics": [{"Name": "Latency", "Unit": "Milliseconds"}]
                }
            ]
        },
        "Shop": "shop-1", "Function": "place-order", "RequestId": "request-1",
        "Service": "orders", "Placed": 2, "Latency": 12.5
    });
    assert_eq!(found, [wanted]);
}

#[test]
fn what_was_flushed_is_gone_and_nothing_is_no_line() {
    let emf = emf();
    assert!(lines(&emf, || {}).is_empty());
    assert_eq!(
        lines(&emf, || {
            PLACED.increment(&[]);
            DEPTH.set(&[], 3.0);
        })
        .len(),
        1
    );
    assert!(lines(&emf, || {}).is_empty(), "a gauge is not repeated");
}

#[test]
fn values_of_one_dimension_that_differ_are_lines_of_their_own() {
    let found = lines(&emf(), || {
        FAILED.increment(&["declined"]);
        FAILED.increment(&["expired"]);
        FAILED.increment(&["declined"]);
    });
    let counted: Vec<_> = found
        .iter()
        .map(|line| {
            (
                line["Reason"].as_str().unwrap(),
                line["Failed"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(counted, [("declined", 2), ("expired", 1)]);
}

#[test]
fn a_gauge_is_what_it_was_last_and_a_histogram_keeps_every_value() {
    let found = lines(&emf(), || {
        DEPTH.set(&[], 3.0);
        DEPTH.set(&[], 0.0);
        for value in 1..=250 {
            LATENCY.record(&["orders"], f64::from(value));
        }
    });
    assert_eq!(found[0]["Depth"], 0.0);
    let values: Vec<f64> = found
        .iter()
        .flat_map(|line| line["Latency"].as_array().unwrap())
        .map(|value| value.as_f64().unwrap())
        .collect();
    let wanted: Vec<f64> = (1..=250).map(f64::from).collect();
    assert_eq!(values, wanted, "in lines of a hundred");
    assert_eq!(found.len(), 3);
}

#[test]
fn what_is_no_number_is_left_out() {
    let found = lines(&emf(), || {
        DEPTH.set(&[], f64::NAN);
        LATENCY.record(&["orders"], f64::INFINITY);
        LATENCY.record(&["users"], 1.0);
    });
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].get("Depth"), None);
    assert_eq!(found[0]["Service"], "users");
}

#[test]
fn a_failed_dependency_is_counted_by_name() {
    let found = lines(&emf(), || {
        Dependency::DynamoDb.failed();
        Dependency::Service("catalog").failed();
    });
    let names: Vec<_> = found.iter().map(|line| &line["Dependency"]).collect();
    assert_eq!(names, ["dynamodb", "catalog"]);
}

#[test]
fn the_shop_has_a_name_without_the_variable() {
    let emf = Emf::new("health", &Environment::default());
    assert_eq!(lines(&emf, || PLACED.increment(&[]))[0]["Shop"], "emporium");
}
