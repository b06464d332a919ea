//! An outbox, a topic, and the relay between them.

use std::{collections::BTreeMap, sync::Arc};

use contracts::{
    EventData,
    events::{OrderPlaced, StockCommitted},
};
use dynamo::{Expression, Keep, Key, OutboxItem, TableSchema, relay};
use kernel::{Currency, Money, OrderId, SignedDuration, Timestamp};
use runtime::{Context, Error, LambdaEvent};
use serde_json::{Value, json, value::to_raw_value};
use testkit::{StubReply, StubServer, TestTable, new_id};

const SCHEMA: TableSchema = TableSchema { indexes: &[] };

/// A table with its relay.
pub(crate) struct TestRelay {
    pub(crate) test: TestTable,
    pub(crate) sns: StubServer,
}

impl TestRelay {
    /// A relay to a topic that takes every event but those with such a text in them.
    pub(crate) async fn refusing(texts: &'static [&'static str]) -> Self {
        Self::with(move |batch| {
            let refused = |message: &String| texts.iter().any(|text| message.contains(text));
            let (bad, good): (Vec<_>, Vec<_>) = batch.iter().partition(|(_, text)| refused(text));
            let ids = |entries: &[(&String, &String)]| -> Vec<String> {
                entries.iter().map(|(id, _)| (*id).clone()).collect()
            };
            taken(&ids(&good), &ids(&bad))
        })
        .await
    }

    pub(crate) async fn new() -> Self {
        Self::refusing(&[]).await
    }

    /// A relay to a topic that answers so to batches, messages by their ids.
    pub(crate) async fn with(
        answer: impl Fn(&BTreeMap<String, String>) -> StubReply + Send + Sync + 'static,
    ) -> Self {
        let sns = StubServer::start(move |body, _| answer(&entries(body))).await;
        let mut test = TestTable::create(&SCHEMA).await;
        test.set("AWS_ENDPOINT_URL_SNS", &sns.url);
        test.set("TOPIC_ARN", "arn:aws:sns:eu-central-1:000000000000:test");
        Self { test, sns }
    }

    /// An event that is in the outbox.
    pub(crate) async fn announce(&self) -> OutboxItem {
        let order_id: OrderId = new_id();
        self.announce_data(&StockCommitted { order_id }).await
    }

    pub(crate) async fn announce_data<T: EventData>(&self, data: &T) -> OutboxItem {
        let event = self.test.event(data);
        let (pk, sk) = (
            format!("ORDER#{}", data.subject()),
            format!("EVENT#{}", event.id),
        );
        let transaction = self.test.table().transaction();
        transaction
            .announce(&pk, &sk, &event, Keep::ThirtyDays)
            .commit()
            .await
            .unwrap();
        OutboxItem::new(Key::new(pk, sk), &event, Keep::ThirtyDays).unwrap()
    }

    /// Events in one shard of the outbox, all older than what is announced later.
    pub(crate) async fn announce_in(&self, shard: &str, count: usize) -> Vec<OutboxItem> {
        let mut items = Vec::with_capacity(count);
        for number in 0..count {
            let order_id: OrderId = new_id();
            let event = self.test.event(&StockCommitted { order_id });
            let key = Key::new(format!("ORDER#{order_id}"), format!("EVENT#{number:04}"));
            let mut item = OutboxItem::new(key, &event, Keep::Forever).unwrap();
            item.unsent = Some(shard.to_owned());
            self.put(&item).await;
            items.push(item);
        }
        self.advance(1);
        items
    }

    pub(crate) async fn put(&self, item: &impl serde::Serialize) {
        let table = self.test.table();
        table.put(item, Expression::default()).await.unwrap();
    }

    pub(crate) fn advance(&self, seconds: i64) {
        let clock = self.test.clock();
        clock.advance(SignedDuration::from_secs(seconds));
    }

    pub(crate) async fn is_unsent(&self, item: &OutboxItem) -> bool {
        self.stored(item).await["unsent"].is_string()
    }

    pub(crate) async fn stored(&self, item: &OutboxItem) -> Value {
        let key = Key::new(&item.pk, &item.sk);
        self.test.table().get(key).await.unwrap().unwrap()
    }

    pub(crate) async fn unsent(&self) -> usize {
        let items = self.test.items().await;
        items
            .iter()
            .filter(|item| item.contains_key("unsent"))
            .count()
    }

    /// How often an event was sent to SNS.
    pub(crate) fn times_sent(&self, item: &OutboxItem) -> usize {
        let id = item.envelope().unwrap().id.to_string();
        let bodies = self.sns.bodies();
        bodies.iter().filter(|body| body.contains(&id)).count()
    }

    /// The numbers of the stream's records that it fails.
    pub(crate) async fn forward(&self, event: &Value) -> Vec<String> {
        let reply = self.invoke(event).await.unwrap();
        let failures = reply["batchItemFailures"].as_array().unwrap().iter();
        failures
            .map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Sweeps, a minute and a bit later.
    pub(crate) async fn sweep(&self) -> Result<(), Error> {
        self.advance(61);
        self.invoke(&json!({})).await.map(drop)
    }

    async fn invoke(&self, event: &Value) -> Result<Value, Error> {
        let function = relay::function("relay-test-events", &[]);
        let relay = self.test.start(&function).await;
        let payload = to_raw_value(event).unwrap();
        let reply = Arc::clone(&relay)(LambdaEvent::new(payload, Context::default())).await?;
        Ok(serde_json::from_str(reply.get()).unwrap())
    }
}

pub(crate) fn order_placed() -> OrderPlaced {
    OrderPlaced {
        order_id: new_id(),
        user_id: new_id(),
        payment_id: new_id(),
        payment_method: "pm_card_visa".into(),
        lines: vec![],
        total: Money::new(1_000, Currency::USD).unwrap(),
        held_until: Timestamp::UNIX_EPOCH,
    }
}

/// The stream's records of items, numbered from 0.
pub(crate) fn stream_of(items: &[OutboxItem]) -> Value {
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
                    "unsent": {"S": item.unsent},
                    "unsent_since": {"N": item.unsent_since.unwrap().to_string()}
                }
            }
        })
    };
    json!({ "Records": items.iter().enumerate().map(record).collect::<Vec<_>>() })
}

/// The entries of a PublishBatch: messages, still encoded, by their ids.
fn entries(body: &str) -> BTreeMap<String, String> {
    let mut parts: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for (name, value) in body.split('&').filter_map(|part| part.split_once('=')) {
        if let Some(part) = name.strip_prefix("PublishBatchRequestEntries.member.") {
            parts.insert(part.split_once('.').unwrap(), value);
        }
    }
    let ids = parts.iter().filter(|((_, name), _)| *name == "Id");
    ids.map(|((number, _), id)| ((*id).to_owned(), parts[&(*number, "Message")].to_owned()))
        .collect()
}

/// SNS's answer: it took these entries, and refused those.
pub(crate) fn taken(taken: &[String], refused: &[String]) -> StubReply {
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

/// SNS's answer when it refuses a call.
pub(crate) fn refused() -> StubReply {
    let error = "<Error><Type>Sender</Type><Code>InvalidParameter</Code></Error>";
    StubReply::Reply(400, format!("<ErrorResponse>{error}</ErrorResponse>"))
}
