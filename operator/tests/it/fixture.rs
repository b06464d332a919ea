//! A shop whose events move only when a test says so.

use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_lambda::{Client as Lambda, primitives::Blob};
use aws_sdk_sqs::Client as Sqs;
use dynamo::{Item, Table};
use kernel::{OrderId, SignedDuration};
use local::{Options, Source};
use operator::{Command, Shop};
use runtime::{Environment, Host, Random, aws::Aws};
use serde_json::{Value, json};
use shop_client::{Client, new_email, order_of};
use testkit::Clock;

/// Rounds of messages after which an order has come to rest.
const ROUNDS_MAX: usize = 20;
const PASSWORD: &str = "correct horse battery staple";
/// The units of the only product.
pub(crate) const UNITS: u32 = 10;

pub(crate) struct Fixture {
    pub(crate) local: local::Shop,
    pub(crate) shop: Shop,
    pub(crate) clock: Clock,
    customer: Client,
    pub(crate) email: String,
    pub(crate) product: String,
    lambda: Lambda,
    pub(crate) sqs: Sqs,
    stack: String,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        let clock = Clock::at("2025-12-31T23:58:59Z".parse().unwrap());
        let host = Host::new(clock.source(), Random::system());
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
        let mut options = Options::new(Source::File(template), local::registry::functions());
        options.triggers = false;
        options.environment = Environment::default()
            .with("UNVERIFIED_SHELF_PERCENT", "100")
            .with("INTERNAL_KEY", "the-internal-key-of-this-test")
            .on(host);
        let local = local::Shop::start(options).await.expect("the shop starts");
        let environment = local.variables("health").expect("the function `health`");
        let aws = Aws::from_environment(&environment).unwrap();
        let stack = environment.require("AWS_LAMBDA_FUNCTION_NAME").unwrap();
        let anonymous = Client::new(local.url());
        let internal = anonymous.as_internal("the-internal-key-of-this-test");
        let email = new_email();
        let fixture = Self {
            shop: Shop::open(&environment).unwrap(),
            product: internal.create_product("5.00", UNITS).await,
            customer: anonymous.register(&email, PASSWORD).await.client,
            email,
            stack: stack.trim_end_matches("-health").to_owned(),
            lambda: aws.lambda(),
            sqs: aws.sqs(),
            clock,
            local,
        };
        // The customer and the product are known everywhere, and it is midnight.
        assert_eq!(fixture.deliver_to("compose-notifications").await, 1);
        fixture
    }

    /// Places an order for one unit.
    pub(crate) async fn place(&self, card: &str) -> OrderId {
        // An access token lives for ten minutes of the test's clock.
        let session = self.customer.log_in(&self.email, PASSWORD, 200).await;
        let buyer = self.customer.bearer(&session.data()["token"]);
        let order = order_of(&[(&self.product, 1)], card);
        let placed = buyer.place_order(&order, 201).await;
        placed.id().parse().unwrap()
    }

    pub(crate) async fn status(&self, id: OrderId) -> String {
        let report = self.json(Command::Show(id)).await;
        report["order"]["status"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn run(&self, command: Command) -> Result<String, String> {
        let outcome = operator::run(&self.shop, &command, false).await;
        outcome
            .map(|outcome| outcome.text)
            .map_err(|error| error.to_string())
    }

    pub(crate) async fn json(&self, command: Command) -> Value {
        let outcome = operator::run(&self.shop, &command, true).await.unwrap();
        serde_json::from_str(&outcome.text).unwrap()
    }

    pub(crate) async fn invoke(&self, function: &str, payload: Value) -> Value {
        let reply = self.try_invoke(function, payload).await;
        reply.unwrap_or_else(|error| panic!("{function}: {error}"))
    }

    /// The function's reply, or what it failed with.
    pub(crate) async fn try_invoke(&self, function: &str, payload: Value) -> Result<Value, String> {
        let reply = self
            .lambda
            .invoke()
            .function_name(format!("{}-{function}", self.stack))
            .payload(Blob::new(payload.to_string()))
            .send()
            .await
            .unwrap();
        let payload = reply.payload.unwrap().into_inner();
        match reply.function_error {
            None => Ok(serde_json::from_slice(&payload).unwrap()),
            Some(_) => Err(String::from_utf8(payload).unwrap()),
        }
    }

    /// Has every relay publish everything.
    pub(crate) async fn publish(&self) {
        self.clock.advance(SignedDuration::from_secs(61));
        for service in ["order", "catalog", "payment", "notification", "user"] {
            self.invoke(&format!("relay-{service}-events"), json!({}))
                .await;
        }
    }

    /// Delivers what is in a consumer's queue; returns how many messages were
    /// handled. `keep` says which messages get through: the others are lost.
    async fn deliver(&self, consumer: &str, keep: &mut impl FnMut() -> bool) -> usize {
        let url = &self.shop.queue(consumer).unwrap().url;
        let received = self
            .sqs
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .send()
            .await
            .unwrap();
        let messages = received.messages.unwrap_or_default();
        for message in &messages {
            let record = json!({
                "messageId": message.message_id, "receiptHandle": message.receipt_handle,
                "body": message.body, "attributes": {}, "messageAttributes": {},
                "md5OfBody": "", "eventSource": "aws:sqs", "awsRegion": "us-east-1",
                "eventSourceARN": format!("arn:aws:sqs:us-east-1:000000000000:{consumer}"),
            });
            if keep() {
                let reply = self.invoke(consumer, json!({ "Records": [record] })).await;
                assert_eq!(reply["batchItemFailures"], json!([]), "{consumer}");
            }
            let receipt = message.receipt_handle.as_deref().unwrap();
            let deleted = self.sqs.delete_message().queue_url(url);
            deleted.receipt_handle(receipt).send().await.unwrap();
        }
        messages.len()
    }

    /// Moves events until there are none; the message with this number is lost.
    /// Returns how many there were.
    pub(crate) async fn settle_without(&self, lost: Option<usize>) -> usize {
        let mut number = 0;
        let mut keep = || {
            number += 1;
            Some(number) != lost
        };
        for _ in 0..ROUNDS_MAX {
            self.publish().await;
            let mut handled = 0;
            for consumer in ["process-payments", "settle-reservations", "advance-orders"] {
                handled += self.deliver(consumer, &mut keep).await;
            }
            if handled == 0 {
                return number;
            }
        }
        panic!("the events do not come to rest");
    }

    pub(crate) async fn settle(&self) -> usize {
        self.settle_without(None).await
    }

    /// Delivers the events for messages to customers.
    pub(crate) async fn compose(&self) {
        self.deliver("compose-notifications", &mut || true).await;
    }

    /// Delivers one round to one consumer.
    pub(crate) async fn deliver_to(&self, consumer: &str) -> usize {
        self.publish().await;
        self.deliver(consumer, &mut || true).await
    }

    pub(crate) fn table(&self, service: &str) -> &Table {
        self.shop.table(service).unwrap()
    }

    pub(crate) async fn item(&self, service: &str, pk: &str, sk: &str) -> Item {
        let table = self.table(service);
        let found = table
            .client()
            .get_item()
            .table_name(table.name())
            .key("pk", AttributeValue::S(pk.to_owned()))
            .key("sk", AttributeValue::S(sk.to_owned()))
            .send()
            .await
            .unwrap();
        found.item.unwrap_or_else(|| panic!("no {pk} {sk}"))
    }

    /// Overwrites attributes of an item, or writes a new one.
    pub(crate) async fn plant(&self, service: &str, item: Item) {
        let table = self.table(service);
        let put = table.client().put_item().table_name(table.name());
        put.set_item(Some(item)).send().await.unwrap();
    }

    /// The units that can be ordered.
    pub(crate) async fn stock(&self) -> u64 {
        Client::new(self.local.url()).stock_of(&self.product).await
    }
}

/// A file that no other test uses.
pub(crate) fn new_file() -> PathBuf {
    let name = format!("emporium-check-{}", shop_client::unique());
    std::env::temp_dir().join(name)
}
