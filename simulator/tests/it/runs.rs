//! Whole runs.

use std::{path::Path, sync::Arc};

use local::template::Template;
use runtime::Environment;
use simulator::{Run, run, sabotage::Sabotage, weather::Weather};

fn template() -> Arc<Template> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    Arc::new(Template::load(&path, &Environment::default()).unwrap())
}

#[test]
fn a_seed_replays_its_run_and_nothing_is_wrong_in_it() {
    let template = template();
    let first = run(&template, &Run::of(1));
    assert_eq!(first.violations, Vec::<String>::new());
    assert!(first.orders.contains_key("confirmed"), "{:?}", first.orders);
    let told = Run {
        told: true,
        ..Run::of(1)
    };
    let second = run(&template, &told);
    assert_eq!(first.fingerprint, second.fingerprint);
    assert!(
        second
            .story
            .iter()
            .any(|line| line.contains("\"confirmed\""))
    );
    assert_ne!(first.fingerprint, run(&template, &Run::of(2)).fingerprint);
}

#[test]
fn weather_does_not_change_who_comes() {
    let template = template();
    let calls = Run {
        weather: Weather::named("calls").unwrap(),
        ..Run::of(2)
    };
    let outcome = run(&template, &calls);
    assert_eq!(outcome.violations, Vec::<String>::new());
    assert!(!outcome.injected.contains_key("read answered from the past"));
}

#[test]
fn an_order_that_is_changed_without_its_condition_is_noticed() {
    let sabotage = Sabotage::Conditions("ORDER#");
    let sabotaged = Run::without(sabotage, 1);
    let outcome = run(&template(), &sabotaged);
    assert!(!outcome.violations.is_empty(), "nothing was noticed");
}
