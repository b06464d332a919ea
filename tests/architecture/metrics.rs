//! Metrics: each is documented as it is, and none can become many.

use std::collections::BTreeSet;

use local::template::Template;
use runtime::metrics::{Metric, Unit};

use crate::support::{read, root, template};

fn metrics() -> Vec<Metric> {
    [runtime::metrics::METRICS, orders::metrics::METRICS].concat()
}

/// A row of docs/metrics.md as the code says it.
fn row(metric: &Metric) -> String {
    let labels = ["Shop"].iter().chain(metric.labels).copied();
    let labels: Vec<String> = labels.map(|label| format!("`{label}`")).collect();
    let unit = match metric.unit {
        None => "currency",
        Some(Unit::Milliseconds) => "ms",
        Some(_) => "count",
    };
    format!("| `{}` | {} | {unit} |", metric.name, labels.join(" "))
}

#[test]
fn every_metric_is_documented_with_its_dimensions_and_unit_and_no_other_is() {
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
    assert_eq!(rows.count(), metrics().len(), "a row too many");
}

#[test]
fn a_name_is_used_once_and_labels_are_not_what_there_is_no_end_of() {
    let names: BTreeSet<&str> = metrics().iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), metrics().len());
    for metric in metrics() {
        assert!(
            metric.labels.len() <= 1,
            "{}: each label multiplies",
            metric.name
        );
        for label in metric.labels {
            let bounded = ["Service", "Dependency", "Reason", "Currency"];
            assert!(bounded.contains(label), "{}: {label}", metric.name);
        }
    }
}

#[test]
fn every_function_knows_which_shop_it_counts_for() {
    let of = |template: Template| template.functions.into_iter();
    for function in of(template()) {
        let shop = function.environment.get("SHOP_STACK").map(String::as_str);
        assert_eq!(shop, Some("emporium"), "{}", function.logical_id);
    }
}
