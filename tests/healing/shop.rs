//! Orders, payments and catalog, each on a table of its own, joined by the
//! template's subscriptions. Time stands still until a test lets it pass.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use contracts::{
    Envelope,
    calls::{ReserveStock, StockReservation},
    events::{OrderLine, Quantity},
};
use dynamo::{Expression, Key};
use kernel::{Currency, Money, OrderId, ProductId, Role, SignedDuration, Timestamp};
use local::template::{Pattern, Template};
use payments::events::process_payments;
use runtime::{Environment, Function, Handler};
use serde_json::{Value, json};
use testkit::{
    Service, StubReply, StubServer, TestTable,
    status::{CREATED, OK},
};

use crate::provider::Provider;

const BEGIN: &str = "2026-01-05T12:00:00Z";
/// The jobs of each minute.
const JOBS: [(&str, &str); 4] = [
    ("catalog", "expire-reservations"),
    ("orders", "relay-order-events"),
    ("payments", "relay-payment-events"),
    ("catalog", "relay-catalog-events"),
];
const CONSUMERS: [(&str, &str); 3] = [
    ("orders", "advance-orders"),
    ("payments", "process-payments"),
    ("catalog", "settle-reservations"),
];

/// An event that never reaches a consumer, but as a reminder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    pub(crate) event: &'static str,
    pub(crate) consumer: &'static str,
}

struct Part {
    table: TestTable,
    service: Service,
}

pub(crate) struct Shop {
    pub(crate) provider: Provider,
    parts: BTreeMap<&'static str, Part>,
    /// The filters of each consumer's queue.
    filters: BTreeMap<&'static str, Vec<Pattern>>,
    losses: Vec<Loss>,
    product: ProductId,
    /// Messages that failed, with their consumers.
    waiting: Vec<(&'static str, Envelope)>,
    deliveries: usize,
    _stubs: [StubServer; 2],
}

impl Shop {
    pub(crate) const STOCK: u64 = 5;

    pub(crate) async fn start(losses: &[Loss]) -> Self {
        let catalog_stub = StubServer::start(|call, _| StubReply::Reply(200, hold(call))).await;
        let sns = StubServer::start(|_, _| StubReply::Reply(500, String::new())).await;
        let provider = Provider::default();
        let mut orders = TestTable::create_at(&orders::store::SCHEMA, BEGIN).await;
        orders.set("AWS_ENDPOINT_URL_LAMBDA", &catalog_stub.url);
        orders.set("RESERVE_STOCK_FUNCTION", "reserve-stock");
        let payments = TestTable::create_at(&payments::store::SCHEMA, BEGIN).await;
        let catalog = TestTable::create_at(&catalog::store::SCHEMA, BEGIN).await;
        let (paying, ledger) = (payments::functions(), provider.clone());
        let mut paying: Vec<Function> = paying
            .into_iter()
            .filter(|function| function.name != "process-payments")
            .collect();
        paying.push(process_payments::function_with(move |_| {
            Ok(Arc::new(ledger.clone()))
        }));
        let part = |mut table: TestTable, functions| {
            table.set("AWS_ENDPOINT_URL_SNS", &sns.url);
            table.set("TOPIC_ARN", "arn:aws:sns:eu-central-1:000000000000:topic");
            let service = table.service(functions);
            Part { table, service }
        };
        let parts = BTreeMap::from([
            ("orders", part(orders, orders::functions())),
            ("payments", part(payments, paying)),
            ("catalog", part(catalog, catalog::functions())),
        ]);
        let product = create_product(&parts["catalog"].service).await;
        let shop = Self {
            provider,
            parts,
            filters: filters(),
            losses: losses.to_vec(),
            product,
            waiting: Vec::new(),
            deliveries: 0,
            _stubs: [catalog_stub, sns],
        };
        shop.collect().await; // what creating the product has announced
        shop
    }

    async fn function(&self, part: &str, name: &str) -> Handler {
        self.parts[part].service.function(name).await
    }

    /// Places an order of one piece, and reserves it.
    pub(crate) async fn place(&self, method: &str) -> OrderId {
        let customer = self.parts["orders"].service.client();
        let customer = customer.as_user(testkit::new_id(), Role::User);
        let customer = customer.with_header("idempotency-key", "the only order");
        let body = json!({
            "items": [{"productId": self.product, "quantity": 1}],
            "shippingAddress": {
                "name": "Ada Lovelace", "line1": "12 St James's Square", "city": "London",
                "postalCode": "SW1Y 4JH", "country": "GB"
            },
            "paymentMethod": method
        });
        let reply = customer.post("/api/orders", &body, CREATED).await;
        let order_id = reply.body["data"]["id"].as_str().unwrap().parse().unwrap();
        let reserve = ReserveStock {
            order_id,
            lines: vec![Quantity {
                product_id: self.product,
                quantity: 1,
            }],
            unverified: false,
            knows_invalid_total: true,
            knows_contended: true,
            correlation_id: "test".into(),
        };
        let function = self.function("catalog", "reserve-stock").await;
        let reserved = testkit::call(&function, &reserve).await.unwrap();
        assert!(matches!(reserved, StockReservation::Held { .. }));
        order_id
    }

    /// Time passes until so many minutes after the beginning: the jobs run, and what
    /// failed before is delivered again.
    pub(crate) async fn pass_time(&mut self, minute: i64) {
        let begin: Timestamp = BEGIN.parse().unwrap();
        let then = begin + SignedDuration::from_mins(minute);
        for part in self.parts.values() {
            let clock = part.table.clock();
            clock.advance(then.duration_since(clock.now()));
        }
        for (part, job) in JOBS {
            testkit::run(&self.function(part, job).await).await;
        }
        let waiting = std::mem::take(&mut self.waiting);
        for (consumer, event) in waiting {
            self.deliver_to(consumer, event).await;
        }
        self.deliver().await;
    }

    /// Delivers what is announced, and what follows from that, until nothing does.
    pub(crate) async fn deliver(&mut self) {
        loop {
            let events = self.collect().await;
            if events.is_empty() {
                return;
            }
            for event in events {
                let record = serde_json::to_value(&event).unwrap();
                for (_, consumer) in CONSUMERS {
                    let filters = &self.filters[consumer];
                    if filters.iter().any(|filter| filter.matches(&record)) {
                        self.deliveries += 1;
                        self.deliver_to(consumer, event.clone()).await;
                    }
                }
            }
        }
    }

    async fn deliver_to(&mut self, consumer: &'static str, event: Envelope) {
        let is_lost = |loss: &Loss| loss.event == event.event_type && loss.consumer == consumer;
        if !event.reminder && self.losses.iter().any(is_lost) {
            return;
        }
        let (part, _) = CONSUMERS
            .iter()
            .find(|(_, name)| *name == consumer)
            .unwrap();
        let function = self.function(part, consumer).await;
        let failed = testkit::deliver(&function, std::slice::from_ref(&event)).await;
        if !failed.is_empty() {
            self.waiting.push((consumer, event));
        }
    }

    /// Takes the events out of the outboxes, as relays do.
    async fn collect(&self) -> Vec<Envelope> {
        let mut events = Vec::new();
        for part in self.parts.values() {
            let items = part.table.items().await.into_iter();
            for item in items.filter(|item| item.contains_key("unsent")) {
                let text = |name: &str| item[name].as_s().unwrap().clone();
                events.push(serde_json::from_str(&text("event")).unwrap());
                let sent = Expression::update("REMOVE unsent, unsent_since");
                let key = Key::new(text("pk"), text("sk"));
                let _: Value = part.table.table().update(key, sent).await.unwrap();
            }
        }
        events
    }

    /// The order as its customer's list has it.
    pub(crate) async fn order(&self, order_id: OrderId) -> Value {
        let prefix = format!("ORDER#{order_id}");
        let orders: Vec<Value> = self.parts["orders"].table.items_of(&prefix, "ORDER").await;
        orders[0].clone()
    }

    pub(crate) async fn goods_on_hand(&self) -> u64 {
        let client = self.parts["catalog"].service.client();
        let product = client
            .get(&format!("/api/products/{}", self.product), OK)
            .await;
        product.body["data"]["stock"].as_u64().unwrap()
    }

    /// Orders and payments that are not at their end, as their indexes have them.
    pub(crate) async fn open_items(&self) -> Vec<String> {
        let mut open = Vec::new();
        for part in self.parts.values() {
            let items = part.table.items().await.into_iter();
            let items = items.filter(|item| item.contains_key("open_shard"));
            open.extend(items.map(|item| item["pk"].as_s().unwrap().clone()));
        }
        open
    }

    /// How many messages wait because their consumers failed.
    pub(crate) fn undelivered(&self) -> usize {
        self.waiting.len()
    }

    /// Deliveries so far, without those of messages that failed before.
    pub(crate) fn deliveries(&self) -> usize {
        self.deliveries
    }
}

/// What `reserve-stock` replies when it can reserve.
fn hold(call: &str) -> String {
    let call: ReserveStock = serde_json::from_str(call).unwrap();
    let line = |line: &Quantity| OrderLine {
        product_id: line.product_id,
        name: "Lamp".into(),
        quantity: line.quantity,
        unit_price: Money::new(1_000, Currency::USD).unwrap(),
    };
    let held = StockReservation::Held {
        lines: call.lines.iter().map(line).collect(),
        held_until: "2026-01-05T12:15:00Z".parse().unwrap(),
    };
    serde_json::to_string(&held).unwrap()
}

async fn create_product(catalog: &Service) -> ProductId {
    let staff = catalog.client().as_internal();
    let category = json!({"name": "Lamps", "parentId": null});
    let category = staff.post("/api/categories", &category, CREATED).await;
    let product = json!({
        "name": "Lamp", "price": 10, "stock": Shop::STOCK,
        "categoryId": category.body["data"]["id"],
    });
    let product = staff.post("/api/products", &product, CREATED).await;
    product.body["data"]["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

fn filters() -> BTreeMap<&'static str, Vec<Pattern>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let template = Template::load(&root.join("template.yaml"), &Environment::default()).unwrap();
    let queue_of = |consumer: &str| -> String {
        let words = consumer.split('-');
        let words = words.map(|word| word[..1].to_uppercase() + &word[1..]);
        words.collect::<String>() + "Queue"
    };
    let filters = CONSUMERS.map(|(_, consumer)| {
        let queue = queue_of(consumer);
        let subscriptions = template
            .subscriptions
            .iter()
            .filter(|one| one.queue == queue);
        let patterns: Vec<Pattern> = subscriptions
            .map(|one| Pattern::parse(&one.attributes["FilterPolicy"]).unwrap())
            .collect();
        assert!(!patterns.is_empty(), "{consumer}");
        (consumer, patterns)
    });
    filters.into_iter().collect()
}
