//! Transactions and queries, where AWS does what the embedded services do not:
//! it meets conflicts.

#![expect(clippy::unwrap_used, reason = "all of it is tests")]

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo::{Expression, Index, IndexKey, Key, Query, Table, TableSchema};
use kernel::Limit;
use runtime::{Environment, Random, aws::Aws};
use serde_json::{Value, json};
use testkit::{StubReply, StubServer, TestTable};

const SCHEMA: TableSchema = TableSchema { indexes: &[] };
#[tokio::test]
async fn a_transaction_that_meets_another_is_tried_again_under_the_same_token() {
    let conflict = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "message": "Transaction cancelled, please refer cancellation reasons",
        "CancellationReasons": [{"Code": "TransactionConflict", "Message": "conflict"}]
    });
    let dynamodb = StubServer::start(move |_, before| match before {
        0 | 1 => StubReply::Reply(400, conflict.to_string()),
        _ => StubReply::Reply(200, "{}".into()),
    })
    .await;
    let environment = Environment::from_iter([
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.url.as_str()),
    ]);
    let client = Aws::from_environment(&environment).unwrap().dynamodb();
    let table = Table::new(client, "test", Random::system());
    let raise = Expression::update("SET stock = stock + :n").value(":n", 1);
    table
        .transaction()
        .update("product", Key::new("a", "b"), raise)
        .commit()
        .await
        .unwrap();

    let tokens: Vec<Value> = dynamodb
        .bodies()
        .iter()
        .map(|body| serde_json::from_str::<Value>(body).unwrap()["ClientRequestToken"].clone())
        .collect();
    assert_eq!(tokens.len(), 3);
    assert!(tokens[0].is_string());
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
}

#[tokio::test]
async fn a_lost_reply_does_not_change_a_number_twice() {
    let test = TestTable::create(&SCHEMA).await;
    let (table, key) = (test.table(), Key::new("PRODUCT#1", "PRODUCT"));
    let item = json!({"pk": key.pk, "sk": key.sk, "stock": 10});
    table.put(&item, Expression::default()).await.unwrap();
    // The very request again, as the SDK sends it when no reply came.
    for _ in 0..2 {
        let update = aws_sdk_dynamodb::types::Update::builder()
            .table_name(table.name())
            .key("pk", AttributeValue::S(key.pk.clone()))
            .key("sk", AttributeValue::S(key.sk.clone()))
            .update_expression("SET stock = stock - :n")
            .expression_attribute_values(":n", AttributeValue::N("1".into()))
            .build()
            .unwrap();
        let write = aws_sdk_dynamodb::types::TransactWriteItem::builder()
            .update(update)
            .build();
        let request = table
            .client()
            .transact_write_items()
            .client_request_token("one");
        request.transact_items(write).send().await.unwrap();
    }
    let item: Value = table.get(key).await.unwrap().unwrap();
    assert_eq!(item["stock"], 9);
}

/// Items of one partition with the sort keys `ITEM#01` and so on.
async fn items(table: &Table, count: u32) {
    for number in 1..=count {
        let item = json!({"pk": "LIST", "sk": format!("ITEM#{number:02}"), "number": number});
        table.put(&item, Expression::default()).await.unwrap();
    }
}

fn numbers(items: &[Value]) -> Vec<u64> {
    items
        .iter()
        .map(|item| item["number"].as_u64().unwrap())
        .collect()
}

fn limit(items: u32) -> Limit {
    use kernel::input::{FromInput, Value};
    Limit::from_input(Value::Text(&items.to_string())).unwrap()
}

#[tokio::test]
async fn pages_have_every_item_once_and_only_the_last_has_no_more() {
    let test = TestTable::create(&SCHEMA).await;
    let table = test.table();
    items(&table, 6).await;
    for backwards in [false, true] {
        let (mut read, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let query = Query::partition("LIST", "ITEM#").consistent().after(after);
            let query = if backwards { query.backwards() } else { query };
            let (page, has_more): (Vec<Value>, bool) = table.page(query, limit(2)).await.unwrap();
            pages += 1;
            after = page.last().map(|item| {
                let text = |name: &str| item[name].as_str().unwrap().to_owned();
                Key::new(text("pk"), text("sk")).into_item()
            });
            read.extend(numbers(&page));
            if !has_more {
                break;
            }
        }
        assert_eq!(pages, 3, "six items in pages of two");
        if backwards {
            read.reverse();
        }
        assert_eq!(read, [1, 2, 3, 4, 5, 6]);
    }
}

#[tokio::test]
async fn a_filtered_query_reads_no_more_than_its_limit() {
    let test = TestTable::create(&SCHEMA).await;
    let table = test.table();
    items(&table, 9).await;
    let some = |after| {
        let query = Query::partition("LIST", "ITEM#").filter("#number IN (:a, :b, :c)".into());
        let query = query.name("#number", "number").after(after);
        query.value(":a", 2).value(":b", 7).value(":c", 9)
    };
    let first = table.query::<Value>(some(None), 4).await.unwrap();
    assert_eq!(numbers(&first.items), [2], "of the first four");
    let second = table.query::<Value>(some(first.last_key), 5).await.unwrap();
    assert_eq!(numbers(&second.items), [7, 9]);
    assert_eq!(table.count(some(None), 5).await.unwrap(), 3);
}

#[tokio::test]
async fn an_index_is_read_in_pages_by_the_keys_of_both() {
    const BY_GROUP: TableSchema = TableSchema {
        indexes: &[Index {
            name: "by-group",
            partition: "group_id",
            sort: IndexKey::Number("number"),
            projects_all: true,
        }],
    };
    let test = TestTable::create(&BY_GROUP).await;
    let table = test.table();
    for number in 1..=5 {
        let item =
            json!({"pk": format!("ITEM#{number}"), "sk": "-", "group_id": "one", "number": number});
        table.put(&item, Expression::default()).await.unwrap();
    }
    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let query = Query::index("by-group", "group_id = :group").value(":group", "one");
        let page = table.page::<Value>(query.after(after), limit(2)).await;
        let (page, has_more) = page.unwrap();
        read.extend(numbers(&page));
        if !has_more {
            break;
        }
        let last = page.last().unwrap();
        after = Some(serde_dynamo::to_item(last).unwrap());
    }
    assert_eq!(read, [1, 2, 3, 4, 5]);
}
