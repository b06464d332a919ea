//! A shop of toy functions.

use std::{
    collections::BTreeMap,
    future::Future,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use local::{Options, Shop, Source};
use runtime::{Environment, Error, Function, Handler, Trigger};
use serde_json::{Value, json, value::to_raw_value};
use tokio::time::Instant;

pub(crate) const TEMPLATE: &str = include_str!("toy.yaml");

/// How long to wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Records what the toy functions receive.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<Value>>>);

impl Recorder {
    pub(crate) fn record(&self, value: Value) {
        self.0.lock().unwrap().push(value);
    }

    pub(crate) fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until what has been recorded fulfils a condition.
    pub(crate) async fn until(&self, what: &str, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let started = Instant::now();
        loop {
            let all = self.all();
            if enough(&all) {
                return all;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{what} did not arrive: {all:?}"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// A function that runs `run` for each event.
pub(crate) fn toy<Run, Running>(name: &'static str, run: Run) -> Function
where
    Run: Fn(Environment, Value) -> Running + Clone + Send + Sync + 'static,
    Running: Future<Output = Result<Value, Error>> + Send + 'static,
{
    Function::build(
        name,
        Trigger::Call,
        &[],
        |_| async { Ok(()) },
        move |_, environment| {
            let (run, environment) = (run.clone(), environment.clone());
            let handler: Handler = Arc::new(move |event: runtime::LambdaEvent<_>| {
                let payload: Box<serde_json::value::RawValue> = event.payload;
                let running = run(
                    environment.clone(),
                    serde_json::from_str(payload.get()).unwrap(),
                );
                Box::pin(async move { Ok(to_raw_value(&running.await?)?) })
            });
            Ok(handler)
        },
    )
}

pub(crate) fn functions(consumed: &Recorder, changed: &Recorder) -> Vec<Function> {
    let (consumed, changed) = (consumed.clone(), changed.clone());
    vec![
        toy("authorize", |_, event| async move {
            let who = event["headers"]["x-who"].as_str().map(str::to_owned);
            Ok(json!({"isAuthorized": who.as_deref() != Some("nobody"), "context": {"who": who}}))
        }),
        toy("echo", |environment, event| async move {
            let body = json!({"event": event, "table": environment.get("TABLE"), "home": environment.get("HOME_URL")});
            Ok(
                json!({"statusCode": 200, "headers": {"content-type": "application/json"}, "body": body.to_string()}),
            )
        }),
        toy("reject", |_, _| async {
            Ok(json!({"statusCode": 404, "body": "nothing here"}))
        }),
        toy("misbehave", |_, event| async move {
            match event["pathParameters"]["how"].as_str() {
                Some("panic") => panic!("on request"),
                Some("hang") => std::future::pending().await,
                _ => Err("on request".into()),
            }
        }),
        toy("consume", move |_, event| {
            let consumed = consumed.clone();
            async move {
                let mut failures = Vec::new();
                let records = event["Records"].as_array().unwrap();
                for record in records {
                    consumed.record(json!({"record": record, "of": records.len()}));
                    if record["body"].as_str().unwrap().contains("poison") {
                        failures.push(json!({"itemIdentifier": record["messageId"]}));
                    }
                }
                Ok(json!({"batchItemFailures": failures}))
            }
        }),
        toy("watch", move |_, event| {
            let changed = changed.clone();
            async move {
                for record in event["Records"].as_array().unwrap() {
                    changed.record(json!({"record": record}));
                    if record["dynamodb"]["NewImage"]["pk"]["S"] == "bad" {
                        return Err("on request".into());
                    }
                }
                Ok(Value::Null)
            }
        }),
        toy("call", |environment, event| async move {
            let url = environment.require("AWS_ENDPOINT_URL_LAMBDA")?.to_owned();
            let url = format!("{url}/2015-03-31/functions/emporium-double/invocations");
            let reply = reqwest::Client::new()
                .post(url)
                .body(event["body"].as_str().unwrap_or("0").to_owned())
                .send()
                .await?;
            Ok(json!({"statusCode": 200, "body": reply.text().await?}))
        }),
        toy("double", |_, event| async move {
            Ok(json!(event.as_i64().ok_or("not a number")? * 2))
        }),
    ]
}

pub(crate) struct Toy {
    pub(crate) shop: Shop,
    pub(crate) client: reqwest::Client,
    pub(crate) consumed: Recorder,
    pub(crate) changed: Recorder,
}

impl Toy {
    pub(crate) async fn start() -> Self {
        Self::of(TEMPLATE).await
    }

    pub(crate) async fn of(template: &str) -> Self {
        Self::kept_in(template, None).await
    }

    pub(crate) async fn kept_in(template: &str, data: Option<&Path>) -> Self {
        let (consumed, changed) = (Recorder::default(), Recorder::default());
        let mut options = Options::new(
            Source::Text(template.to_owned()),
            functions(&consumed, &changed),
        );
        options.data = data.map(Path::to_owned);
        let shop = Shop::start(options).await.unwrap();
        Self {
            shop,
            client: reqwest::Client::new(),
            consumed,
            changed,
        }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        self.client
            .request(method, format!("{}{path}", self.shop.url()))
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let reply = self.request("GET", path).send().await.unwrap();
        let status = reply.status().as_u16();
        let text = reply.text().await.unwrap();
        (
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }

    /// Every sample of `/metrics`.
    pub(crate) async fn metrics(&self) -> BTreeMap<String, f64> {
        let reply = self.request("GET", "/metrics").send().await.unwrap();
        assert_eq!(reply.status(), 200);
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        assert_eq!(reply.headers()["content-type"], kind);
        testkit::prometheus::read(&reply.text().await.unwrap())
    }

    /// Calls an embedded service that speaks JSON.
    pub(crate) async fn aws(&self, endpoint: &str, target: &str, kind: &str, body: Value) -> Value {
        let url = self.shop.endpoint(endpoint).unwrap();
        let request = self
            .client
            .post(url)
            .header("x-amz-target", target)
            .header("content-type", kind);
        // The embedded DynamoDB requires a signature, but does not verify it.
        let request = request
            .header("authorization", "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/x/aws4_request, SignedHeaders=host, Signature=0")
            .header("x-amz-date", "20260101T000000Z");
        let reply = request.body(body.to_string()).send().await.unwrap();
        assert!(
            reply.status().is_success(),
            "{}",
            reply.text().await.unwrap()
        );
        serde_json::from_str(&reply.text().await.unwrap()).unwrap()
    }

    pub(crate) async fn put(&self, pk: &str) {
        let body = json!({"TableName": "toys", "Item": {"pk": {"S": pk}}});
        let target = "DynamoDB_20120810.PutItem";
        self.aws(
            "AWS_ENDPOINT_URL_DYNAMODB",
            target,
            "application/x-amz-json-1.0",
            body,
        )
        .await;
    }

    /// Writes several items with one call.
    pub(crate) async fn put_all(&self, pks: &[&str]) {
        let puts: Vec<Value> = pks
            .iter()
            .map(|pk| json!({"PutRequest": {"Item": {"pk": {"S": pk}}}}))
            .collect();
        let target = "DynamoDB_20120810.BatchWriteItem";
        let body = json!({"RequestItems": {"toys": puts}});
        self.aws(
            "AWS_ENDPOINT_URL_DYNAMODB",
            target,
            "application/x-amz-json-1.0",
            body,
        )
        .await;
    }

    /// Receives messages from a queue, waiting for the first.
    pub(crate) async fn receive(&self, name: &str) -> Value {
        let url = format!("http://sqs.us-east-1.localhost/000000000000/{name}");
        let body = json!({"QueueUrl": url, "WaitTimeSeconds": 20, "MaxNumberOfMessages": 10});
        let target = "AmazonSQS.ReceiveMessage";
        let reply = self
            .aws(
                "AWS_ENDPOINT_URL_SQS",
                target,
                "application/x-amz-json-1.0",
                body,
            )
            .await;
        reply["Messages"].clone()
    }

    /// Calls an embedded service that expects forms.
    pub(crate) async fn form(&self, endpoint: &str, fields: &[(&str, &str)]) {
        let mut body = String::new();
        for (name, value) in fields {
            let escaped: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            body.push_str(&format!("{name}={escaped}&"));
        }
        let request = self.client.post(self.shop.endpoint(endpoint).unwrap());
        let kind = "application/x-www-form-urlencoded";
        let reply = request
            .header("content-type", kind)
            .body(body)
            .send()
            .await
            .unwrap();
        assert!(
            reply.status().is_success(),
            "{}",
            reply.text().await.unwrap()
        );
    }

    pub(crate) async fn send(&self, body: &str) {
        let url = "http://sqs.us-east-1.localhost/000000000000/toys";
        let body = json!({"QueueUrl": url, "MessageBody": body});
        self.aws(
            "AWS_ENDPOINT_URL_SQS",
            "AmazonSQS.SendMessage",
            "application/x-amz-json-1.0",
            body,
        )
        .await;
    }

    pub(crate) async fn queue(&self, logical_id: &str) -> (u64, u64) {
        let (_, state) = self.get("/_local/state").await;
        let queues = state["queues"].as_array().unwrap();
        let queue = queues
            .iter()
            .find(|queue| queue["logicalId"] == logical_id)
            .unwrap();
        (
            queue["waiting"].as_u64().unwrap(),
            queue["inFlight"].as_u64().unwrap(),
        )
    }

    pub(crate) async fn until_queue(&self, logical_id: &str, waiting: u64) {
        let started = Instant::now();
        while self.queue(logical_id).await.0 != waiting {
            assert!(
                started.elapsed() < PATIENCE,
                "{logical_id} does not reach {waiting} waiting messages"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
