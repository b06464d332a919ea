//! The relay and transactions, where AWS does what the embedded services do
//! not: it refuses a part of a batch, and meets conflicts.

#![expect(clippy::unwrap_used, reason = "all of it is tests")]

use aws_sdk_dynamodb::types::AttributeValue;
use contracts::{Envelope, events::StockCommitted};
use dynamo::{
    Expression, Index, IndexKey, Keep, Key, OutboxItem, Query, Table, TableSchema, relay,
};
use kernel::{Limit, OrderId};
use runtime::{Context, Environment, LambdaEvent, Random, aws::Aws};
use serde_json::{Value, json, value::to_raw_value};
use testkit::{StubReply, StubServer, TestTable, new_id};

const SCHEMA: TableSchema = TableSchema { indexes: &[] };
/// Entries of one PublishBatch (a limit of SNS).
const ENTRIES_MAX: usize = 10;

/// An event of an order, in the outbox of a table.
async fn announce(test: &TestTable) -> OutboxItem {
    let order_id: OrderId = new_id();
    let event: Envelope = test.event(&StockCommitted { order_id });
    let (pk, sk) = (format!("ORDER#{order_id}"), format!("EVENT#{}", event.id));
    let transaction = test.table().transaction();
    transaction
        .announce(&pk, &sk, &event, Keep::ThirtyDays)
        .commit()
        .await
        .unwrap();
    OutboxItem::new(Key::new(pk, sk), &event, Keep::ThirtyDays).unwrap()
}

/// The stream's records of items, numbered from 0.
fn stream_of(items: &[OutboxItem]) -> Value {
    let record = |(number, item): (usize, &OutboxItem)| {
        json!({
            "eventID": number.to_string(), "eventName": "INSERT", "eventVersion": "1.1",
            "eventSource": "aws:dynamodb", "awsRegion": "eu-central-1",
            "eventSourceARN": "arn:aws:dynamodb:eu-central-1:000000000000:table/test/stream/x",
            "dynamodb": {
                "ApproximateCreationDateTime": 1_800_000_000, "SequenceNumber": number.to_string(),
                "SizeBytes": 1, "StreamViewType": "NEW_IMAGE",
                "Keys": {"pk": {"S": item.pk}, "sk": {"S": item.sk}},
                "NewImage": {
                    "pk": {"S": item.pk}, "sk": {"S": item.sk}, "event": {"S": item.event},
                    "unsent": {"S": item.unsent}, "unsent_since": {"N": "1"}
                }
            }
        })
    };
    json!({ "Records": items.iter().enumerate().map(record).collect::<Vec<_>>() })
}

/// SNS's answer: it took these entries, and refused those.
fn taken(taken: &[usize], refused: &[usize]) -> StubReply {
    let good = taken
        .iter()
        .map(|id| format!("<member><Id>{id}</Id><MessageId>m</MessageId></member>"));
    let bad = refused.iter().map(|id| {
        format!("<member><Id>{id}</Id><Code>InternalError</Code><SenderFault>false</SenderFault></member>")
    });
    let (good, bad): (String, String) = (good.collect(), bad.collect());
    let result = format!("<Successful>{good}</Successful><Failed>{bad}</Failed>");
    let body = format!(
        "<PublishBatchResponse><PublishBatchResult>{result}</PublishBatchResult></PublishBatchResponse>"
    );
    StubReply::Reply(200, body)
}

async fn unsent(table: &Table, item: &OutboxItem) -> bool {
    let key = Key::new(&item.pk, &item.sk);
    table
        .get::<OutboxItem>(key)
        .await
        .unwrap()
        .unwrap()
        .unsent
        .is_some()
}

async fn relayed(test: &TestTable, event: &Value) -> Vec<String> {
    let relay = test.start(&relay::function("relay-test-events", &[])).await;
    let payload = to_raw_value(event).unwrap();
    let reply = relay(LambdaEvent::new(payload, Context::default()))
        .await
        .unwrap();
    let reply: Value = serde_json::from_str(reply.get()).unwrap();
    let failures = reply["batchItemFailures"].as_array().unwrap().iter();
    failures
        .map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn an_entry_that_sns_refuses_stays_unsent_and_only_it_comes_again() {
    let mut test = TestTable::create(&SCHEMA).await;
    let sns = StubServer::start(|_, _| taken(&[0, 2], &[1])).await;
    test.set("AWS_ENDPOINT_URL_SNS", &sns.url);
    test.set("TOPIC_ARN", "arn:aws:sns:eu-central-1:000000000000:test");
    let table = test.table();
    let mut items = Vec::new();
    for _ in 0..3 {
        items.push(announce(&test).await);
    }
    assert_eq!(relayed(&test, &stream_of(&items)).await, ["1"]);
    assert!(!unsent(&table, &items[0]).await);
    assert!(unsent(&table, &items[1]).await);
    assert!(!unsent(&table, &items[2]).await);
}

#[tokio::test]
async fn a_batch_is_published_in_as_many_parts_as_sns_needs() {
    let mut test = TestTable::create(&SCHEMA).await;
    let all: Vec<usize> = (0..ENTRIES_MAX).collect();
    let sns = StubServer::start(move |_, _| taken(&all, &[])).await;
    test.set("AWS_ENDPOINT_URL_SNS", &sns.url);
    test.set("TOPIC_ARN", "arn:aws:sns:eu-central-1:000000000000:test");
    let table = test.table();
    let mut items = Vec::new();
    for _ in 0..2 * ENTRIES_MAX + 1 {
        items.push(announce(&test).await);
    }
    assert!(relayed(&test, &stream_of(&items)).await.is_empty());
    let bodies = sns.bodies();
    assert_eq!(bodies.len(), 3);
    for item in &items {
        assert!(!unsent(&table, item).await);
        let id = item.envelope().unwrap().id.to_string();
        assert_eq!(
            bodies.iter().filter(|body| body.contains(&id)).count(),
            1,
            "published once"
        );
    }
}

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
