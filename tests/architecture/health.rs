//! `GET /health` checks every table, topic and queue of the template.

use std::collections::BTreeMap;

use edge::domain::{Kind, dependencies};
use local::template::Topic;

use crate::support::{kebab, template};

/// `settle-reservations dead-letter` for `SettleReservationsDeadLetterQueue`.
fn name_of(logical_id: &str, ending: &str) -> String {
    let dead_letters = format!("DeadLetter{ending}");
    match logical_id.strip_suffix(&dead_letters) {
        Some(source) => format!("{} dead-letter", kebab(source)),
        None => kebab(logical_id.strip_suffix(ending).expect(logical_id)),
    }
}

#[test]
fn health_checks_every_table_topic_and_queue_of_the_template() {
    let template = template();
    let health = template
        .functions
        .iter()
        .find(|function| function.code_name == "health")
        .unwrap();
    let tables = template.tables.iter().map(|table| {
        let name = name_of(&table.logical_id, "Table");
        (format!("{name} table"), table.name.clone())
    });
    // The topic of the alarms notifies people, and only exists with alarms.
    let of_shop = |topic: &&Topic| topic.logical_id != "AlarmTopic";
    let topics = template.topics.iter().filter(of_shop).map(|topic| {
        let name = name_of(&topic.logical_id, "Topic");
        (format!("{name} topic"), topic.arn())
    });
    let queues = template.queues.iter().map(|queue| {
        let name = name_of(&queue.logical_id, "Queue");
        (format!("{name} queue"), queue.url())
    });
    for (variable, kind, wanted) in [
        (
            "HEALTH_TABLES",
            Kind::Table,
            tables.collect::<BTreeMap<_, _>>(),
        ),
        ("HEALTH_TOPICS", Kind::Topic, topics.collect()),
        ("HEALTH_QUEUES", Kind::Queue, queues.collect()),
    ] {
        let checked: BTreeMap<String, String> = dependencies(kind, &health.environment[variable])
            .unwrap()
            .into_iter()
            .map(|one| (one.name, one.address))
            .collect();
        assert_eq!(checked, wanted, "{variable}");
    }
}
