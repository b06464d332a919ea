//! The tables of the template have the keys and indexes that the stores expect.

use std::collections::BTreeSet;

use dynamo::{Index, IndexKey, TableSchema, UNSENT_INDEX};
use serde_json::Value;

use crate::support::template;

fn index_of(index: &Index) -> (String, String, String, String) {
    let (sort, kind) = match index.sort {
        IndexKey::Text(name) => (name, "S"),
        IndexKey::Number(name) => (name, "N"),
    };
    let projection = if index.projects_all {
        "ALL"
    } else {
        "KEYS_ONLY"
    };
    (
        index.name.into(),
        index.partition.into(),
        format!("{sort}:{kind}"),
        projection.into(),
    )
}

#[test]
fn tables_have_the_shape_that_their_stores_expect() {
    let shapes: [(&str, TableSchema); 5] = [
        ("UsersTable", users::store::SCHEMA),
        ("CatalogTable", catalog::store::SCHEMA),
        ("OrdersTable", orders::store::SCHEMA),
        ("PaymentsTable", payments::store::SCHEMA),
        ("NotificationsTable", notifications::store::SCHEMA),
    ];
    let template = template();
    assert_eq!(template.tables.len(), shapes.len());
    let unsent = Index {
        name: UNSENT_INDEX,
        partition: "unsent",
        sort: IndexKey::Number("unsent_since"),
        projects_all: false,
    };
    for (logical_id, shape) in shapes {
        let table = template
            .tables
            .iter()
            .find(|table| table.logical_id == logical_id)
            .unwrap();
        assert!(table.streams, "{logical_id} has no stream");
        assert_eq!(
            table.ttl_attribute.as_deref(),
            Some("expires_at"),
            "{logical_id}"
        );
        let expected: BTreeSet<_> = shape
            .indexes
            .iter()
            .chain([&unsent])
            .map(index_of)
            .collect();
        let kinds = |name: &Value| -> String {
            let attributes = table.definition["AttributeDefinitions"].as_array().unwrap();
            let found = attributes
                .iter()
                .find(|a| a["AttributeName"] == *name)
                .unwrap();
            found["AttributeType"].as_str().unwrap().to_owned()
        };
        let indexes = table.definition["GlobalSecondaryIndexes"]
            .as_array()
            .unwrap();
        let templated: BTreeSet<_> = indexes
            .iter()
            .map(|index| {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let (partition, sort) = (&index["KeySchema"][0], &index["KeySchema"][1]);
                let sort = &sort["AttributeName"];
                (
                    text(&index["IndexName"]),
                    text(&partition["AttributeName"]),
                    format!("{}:{}", text(sort), kinds(sort)),
                    text(&index["Projection"]["ProjectionType"]),
                )
            })
            .collect();
        assert_eq!(expected, templated, "{logical_id}");
    }
}
