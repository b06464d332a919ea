//! Every metric is documented, and its labels have few values.

use std::collections::BTreeSet;

use local::template::Template;
use runtime::metrics::{Metric, Unit};

use crate::support::{read, root, template};

fn metrics() -> Vec<Metric> {
    [
        runtime::metrics::METRICS,
        dynamo::relay::METRICS,
        orders::metrics::METRICS,
    ]
    .concat()
}

/// The start of a metric's row in docs/metrics.md.
fn row(metric: &Metric) -> String {
    let labels = ["Shop"].iter().chain(metric.labels).copied();
    let labels: Vec<String> = labels.map(|label| format!("`{label}`")).collect();
    let unit = match metric.unit {
        None => "currency",
        Some(Unit::Milliseconds) => "ms",
        Some(Unit::Seconds) => "s",
        Some(_) => "count",
    };
    format!("| `{}` | {} | {unit} |", metric.name, labels.join(" "))
}

#[test]
fn the_documented_metrics_are_those_of_the_code_with_their_dimensions_and_units() {
    let documented = read(&root().join("docs/metrics.md"));
    for metric in metrics() {
        let row = row(&metric);
        assert!(
            documented.lines().any(|line| line.starts_with(&row)),
            "no {row}"
        );
    }
    let rows = documented
        .lines()
        .filter(|line| line.starts_with("| `") && line.contains("`Shop`"));
    assert_eq!(
        rows.count(),
        metrics().len(),
        "there is a row without a metric"
    );
}

#[test]
fn metric_names_are_unique_and_labels_have_few_values() {
    let names: BTreeSet<&str> = metrics().iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), metrics().len());
    for metric in metrics() {
        assert!(
            metric.labels.len() <= 1,
            "{}: each label multiplies",
            metric.name
        );
        for label in metric.labels {
            let bounded = ["Service", "Dependency", "Reason", "Currency", "Limit"];
            assert!(bounded.contains(label), "{}: {label}", metric.name);
        }
    }
}

#[test]
fn every_function_knows_the_stack_for_its_metrics() {
    let of = |template: Template| template.functions.into_iter();
    for function in of(template()) {
        let shop = function.environment.get("SHOP_STACK").map(String::as_str);
        assert_eq!(shop, Some("emporium"), "{}", function.logical_id);
    }
}
