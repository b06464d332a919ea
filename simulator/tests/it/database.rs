//! DynamoDB's behaviour that the embedded one lacks.

use std::time::Duration;

use kernel::Timestamp;
use local::template::Table;
use runtime::Clock;
use serde_json::{Value, json};
use simulator::cloud::{Behind, Database, Limits};

fn database(limits: Limits) -> Database {
    let table = Table {
        logical_id: "T".into(),
        line: 0,
        name: "things".into(),
        definition: json!({
            "TableName": "things", "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
                {"AttributeName": "holding", "AttributeType": "S"},
                {"AttributeName": "held_since", "AttributeType": "N"},
            ],
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "GlobalSecondaryIndexes": [{
                "IndexName": "open",
                "KeySchema": [
                    {"AttributeName": "holding", "KeyType": "HASH"},
                    {"AttributeName": "held_since", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }],
        }),
        ttl_attribute: None,
        streams: true,
    };
    let clock = Clock::new(|| Timestamp::UNIX_EPOCH);
    Database::create(&[table], clock, limits).unwrap()
}

fn item(pk: &str, version: u32, is_open: bool) -> Value {
    let mut item = json!({
        "pk": {"S": pk}, "sk": {"S": "s"}, "version": {"N": version.to_string()},
    });
    if is_open {
        item["holding"] = json!({"S": "0"});
        item["held_since"] = json!({"N": "5"});
    }
    json!({"TableName": "things", "Item": item})
}

fn versions(reply: &Value) -> Vec<&str> {
    let items = reply["Items"].as_array().into_iter().flatten();
    items.filter_map(|item| item["pk"]["S"].as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_is_behind_answers_from_the_past() {
    let database = database(Limits::DYNAMODB);
    let get = json!({"TableName": "things", "Key": {"pk": {"S": "a"}, "sk": {"S": "s"}}});
    let late = |by| {
        let reply = database.answer_late("GetItem", &get, Behind(Duration::from_secs(by)));
        reply.json()["Item"]["version"]["N"].clone()
    };
    database.answer("PutItem", &item("a", 1, false));
    tokio::time::sleep(Duration::from_secs(1)).await;
    database.answer("PutItem", &item("a", 2, false));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(late(0), "2");
    assert_eq!(late(2), "1");
    assert_eq!(late(3), Value::Null, "the item did not exist then");
}

#[tokio::test(start_paused = true)]
async fn an_index_that_is_behind_has_what_left_it_and_lacks_what_entered() {
    let database = database(Limits::DYNAMODB);
    let query = json!({
        "TableName": "things", "IndexName": "open",
        "KeyConditionExpression": "holding = :open AND held_since < :until",
        "ExpressionAttributeValues": {":open": {"S": "0"}, ":until": {"N": "9"}},
    });
    database.answer("PutItem", &item("left", 1, true));
    tokio::time::sleep(Duration::from_secs(2)).await;
    database.answer("PutItem", &item("left", 2, false));
    database.answer("PutItem", &item("entered", 1, true));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let now = database.answer("Query", &query).json();
    assert_eq!(versions(&now), ["entered"]);
    let behind = Behind(Duration::from_secs(1));
    let late = database.answer_late("Query", &query, behind).json();
    assert_eq!(versions(&late), ["left"]);
    assert!(late["Items"][0].get("version").is_none(), "keys only");
}

#[tokio::test(start_paused = true)]
async fn the_partition_of_an_index_can_be_full_as_well() {
    let limits = Limits {
        writes: 3,
        reads: 9,
    };
    let database = database(limits);
    let query = json!({
        "TableName": "things", "IndexName": "open", "KeyConditionExpression": "holding = :open",
        "ExpressionAttributeValues": {":open": {"S": "0"}},
    });
    for number in 0..3 {
        let put = item(&number.to_string(), 1, true);
        assert!(database.admits("PutItem", &put));
        database.answer("PutItem", &put);
    }
    assert!(database.admits("Query", &query), "reads are counted apart");
    assert!(
        !database.admits("PutItem", &item("3", 1, true)),
        "the index is full"
    );
    assert!(database.admits("PutItem", &item("3", 1, false)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(database.admits("PutItem", &item("3", 1, true)));
}
