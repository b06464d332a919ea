//! The text format of Prometheus, read strictly.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::collections::{BTreeMap, BTreeSet};

/// Reads every sample, by its name with its labels as they are written; fails
/// the test when a line is not of the format, a family lacks its help or type,
/// or a sample is there twice.
pub fn read(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with('\n'), "the last line has no end");
    let (mut helped, mut typed) = (BTreeSet::new(), BTreeMap::new());
    let mut samples = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("a help");
            assert!(!help.is_empty() && helped.insert(name), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a type");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(typed.insert(name, kind).is_none(), "{line}");
        } else {
            let (sample, value) = line.rsplit_once(' ').expect("a value");
            let name = sample.split('{').next().unwrap_or_default();
            let family = family(name, &typed);
            assert!(helped.contains(family), "{line}: no help");
            assert_eq!(family.ends_with("_total"), typed[family] == "counter");
            assert!(well_formed(sample, name), "{line}");
            let value: f64 = value.parse().expect("a number");
            assert!(samples.insert(sample.to_owned(), value).is_none(), "{line}");
        }
    }
    samples
}

fn family<'a>(name: &'a str, typed: &BTreeMap<&str, &str>) -> &'a str {
    let of_histogram = ["_bucket", "_sum", "_count"]
        .iter()
        .filter_map(|ending| name.strip_suffix(ending))
        .find(|family| typed.get(family) == Some(&"histogram"));
    let family = of_histogram.unwrap_or(name);
    assert!(typed.contains_key(family), "{name} has no type");
    family
}

/// Whether the name is one, and the labels are in braces, each `name="value"`.
fn well_formed(sample: &str, name: &str) -> bool {
    let word =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let labels = match sample[name.len()..].strip_prefix('{') {
        None => return word(name) && sample == name,
        Some(labels) => labels.strip_suffix('}'),
    };
    let label = |label: &str| {
        let (name, value) = label.split_once('=').unwrap_or_default();
        word(name) && value.len() > 1 && value.starts_with('"') && value.ends_with('"')
    };
    word(name) && labels.is_some_and(|labels| labels.split(',').all(label))
}
