//! How many events a second one invocation of a relay publishes and marks, with
//! the calls of AWS as slow as docs/cost.md assumes them:
//! `cargo run --release -p dynamo --example relay-throughput`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::float_arithmetic,
    reason = "it measures and prints"
)]

use std::time::Duration;

use contracts::events::StockCommitted;
use dynamo::{Expression, Keep, Key, OutboxItem, TableSchema, relay};
use kernel::OrderId;
use runtime::{Context, LambdaEvent, Stopwatch};
use serde_json::{json, value::to_raw_value};
use testkit::{StubReply, StubServer, TestTable, new_id};

const DYNAMODB_LATENCY: Duration = Duration::from_millis(5);
const SNS_LATENCY: Duration = Duration::from_millis(20);
/// Records of a stream that an invocation gets (template.yaml).
const BATCH: usize = 100;
const BATCHES: usize = 10;

fn main() {
    let backend = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (events, environment) = backend.block_on(prepare());
    // The relay has a thread to itself, as in Lambda; the emulators have others.
    let measured = std::thread::spawn(move || {
        let relay = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        relay.block_on(async move {
            let function = relay::function("relay-test-events", &[]);
            let handler = function.start(environment).await.unwrap();
            let (stopwatch, cpu_ns) = (Stopwatch::start(), thread_cpu_ns());
            for batch in events {
                let payload = to_raw_value(&batch).unwrap();
                handler(LambdaEvent::new(payload, Context::default()))
                    .await
                    .unwrap();
            }
            (stopwatch.elapsed(), thread_cpu_ns() - cpu_ns)
        })
    });
    let (wall, cpu_ns) = measured.join().unwrap();
    let events = (BATCH * BATCHES) as f64;
    let cpu_ms = cpu_ns as f64 / 1e6;
    println!(
        "{:.0} events/s, {:.0} ms a batch of {BATCH}, {:.0} ms of CPU in it",
        events / wall.as_secs_f64(),
        wall.as_secs_f64() * 1e3 / BATCHES as f64,
        cpu_ms / BATCHES as f64
    );
}

/// The processor time of this thread (proc(5), schedstat).
fn thread_cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

async fn prepare() -> (Vec<serde_json::Value>, runtime::Environment) {
    let all: String = (0..10)
        .map(|id| format!("<member><Id>{id}</Id><MessageId>m</MessageId></member>"))
        .collect();
    let body = format!(
        "<PublishBatchResponse><PublishBatchResult><Successful>{all}</Successful><Failed/>\
         </PublishBatchResult></PublishBatchResponse>"
    );
    let sns = StubServer::start(move |_, _| StubReply::ReplyAfter(SNS_LATENCY, 200, body.clone()));
    let sns = sns.await;
    let mut test = TestTable::create(&TableSchema { indexes: &[] }).await;
    test.set("AWS_ENDPOINT_URL_SNS", &sns.url);
    test.set("TOPIC_ARN", "arn:aws:sns:eu-central-1:000000000000:test");
    let mut batches = Vec::new();
    for _ in 0..BATCHES {
        let mut records = Vec::new();
        for number in 0..BATCH {
            let order_id: OrderId = new_id();
            let event = test.event(&StockCommitted { order_id });
            let key = Key::new(format!("ORDER#{order_id}"), "EVENT#1");
            let item = OutboxItem::new(key, &event, Keep::Forever).unwrap();
            test.table()
                .put(&item, Expression::default())
                .await
                .unwrap();
            records.push(json!({
                "eventID": number.to_string(), "eventName": "INSERT", "eventVersion": "1.1",
                "eventSource": "aws:dynamodb", "awsRegion": "eu-central-1",
                "eventSourceARN": "arn:aws:dynamodb:eu-central-1:000000000000:table/test/stream/x",
                "dynamodb": {
                    "ApproximateCreationDateTime": 1_800_000_000, "SizeBytes": 1,
                    "SequenceNumber": number.to_string(), "StreamViewType": "NEW_IMAGE",
                    "Keys": {"pk": {"S": item.pk}, "sk": {"S": item.sk}},
                    "NewImage": {
                        "pk": {"S": item.pk}, "sk": {"S": item.sk}, "event": {"S": item.event},
                        "unsent": {"S": item.unsent},
                        "unsent_since": {"N": item.unsent_since.unwrap().to_string()}
                    }
                }
            }));
        }
        batches.push(json!({ "Records": records }));
    }
    test.slow_down(DYNAMODB_LATENCY).await;
    let environment = test.environment();
    // They serve until the process ends.
    std::mem::forget((sns, test));
    (batches, environment)
}
