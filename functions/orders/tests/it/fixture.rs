//! The service on a table of its own, with a stub of catalog.

use contracts::{Envelope, EventData};
use kernel::{OrderId, ProductId, Role, UserId};
use orders::{
    domain::Order,
    store::{OrderStore, StoredOrder},
};
use runtime::Handler;
use serde_json::{Value, json};
use testkit::{
    Client, LostReplies, Reply, Service, StubServer, TestTable, deliver, status::CREATED,
};

use crate::{slow_store::SlowStore, stub_catalog::StubCatalog};

pub(crate) const PATH: &str = "/api/orders";

pub(crate) struct TestOrders {
    pub(crate) table: TestTable,
    pub(crate) catalog: StubCatalog,
    service: Service,
}

impl TestOrders {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// Publishes events to a stub of SNS.
    pub(crate) async fn publishing_to(sns: &StubServer) -> Self {
        let topic = "arn:aws:sns:eu-central-1:000000000000:orders";
        Self::with(&[("AWS_ENDPOINT_URL_SNS", &sns.url), ("TOPIC_ARN", topic)]).await
    }

    /// Sets further variables of the environment.
    pub(crate) async fn with(variables: &[(&str, &str)]) -> Self {
        Self::on(Self::table().await, variables).await
    }

    /// Makes ids and tokens that follow from a seed.
    pub(crate) async fn seeded(seed: u64) -> Self {
        Self::on(Self::table().await.seeded(seed), &[]).await
    }

    /// Reaches the store through a proxy.
    pub(crate) async fn behind(proxy: &SlowStore) -> Self {
        let table = Self::table().await;
        let url = proxy.start(&table).await;
        Self::on(table, &[("AWS_ENDPOINT_URL_DYNAMODB", &url)]).await
    }

    /// Loses replies to writes of functions and of [`Self::store_of_functions`].
    pub(crate) async fn losing(losses: &LostReplies) -> Self {
        Self::on(Self::table().await.losing(losses).await, &[]).await
    }

    async fn table() -> TestTable {
        TestTable::create_at(&orders::store::SCHEMA, "2026-01-05T12:00:00Z").await
    }

    async fn on(mut table: TestTable, variables: &[(&str, &str)]) -> Self {
        let catalog = StubCatalog::start(table.clock().clone()).await;
        table.set("AWS_ENDPOINT_URL_LAMBDA", &catalog.url);
        table.set("RESERVE_STOCK_FUNCTION", "reserve-stock");
        for (name, value) in variables {
            table.set(name, value);
        }
        Self {
            service: table.service(orders::functions()),
            catalog,
            table,
        }
    }

    pub(crate) async fn function(&self, name: &str) -> Handler {
        self.service.function(name).await
    }

    /// Another instance of a function, as Lambda starts one for each concurrent
    /// invocation and after each crash.
    pub(crate) async fn new_instance(&self, name: &str) -> Handler {
        let service = self.table.service(orders::functions());
        service.function(name).await
    }

    pub(crate) fn client(&self) -> Client {
        self.service.client()
    }

    pub(crate) fn client_of(&self, user: UserId) -> Client {
        self.client().as_user(user, Role::User)
    }

    /// A client that sends an idempotency key.
    pub(crate) fn customer(&self, user: UserId, key: &str) -> Client {
        self.client_of(user).with_header("idempotency-key", key)
    }

    /// Places an order of two lamps at 10 dollars each.
    pub(crate) async fn place(&self, user: UserId) -> StoredOrder {
        let product = self.catalog.add_product(1_000, 2);
        let key: OrderId = testkit::new_id();
        // Each user at an address of their own.
        let [.., a, b, c] = *user.as_uuid().as_bytes();
        let client = self.customer(user, &key.to_string());
        let client = client.from_ip(&format!("10.{a}.{b}.{c}"));
        let body = order_body(&[(product, 2)]);
        let reply = client.post(PATH, &body, CREATED).await;
        self.find(order_id(&reply)).await
    }

    /// Delivers events to `advance-orders` one by one; each must be handled.
    pub(crate) async fn advance(&self, events: &[&Envelope]) {
        let consumer = self.function("advance-orders").await;
        for event in events {
            let failed = deliver(&consumer, &[(*event).clone()]).await;
            assert!(failed.is_empty(), "{}", event.event_type);
        }
    }

    /// An event of another service.
    pub(crate) fn event<T: EventData>(&self, data: &T) -> Envelope {
        self.table.event(data)
    }

    /// The store as functions open it.
    pub(crate) async fn store_of_functions(&self) -> OrderStore {
        OrderStore::open(&self.table.environment()).await.unwrap()
    }

    pub(crate) fn store(&self) -> OrderStore {
        OrderStore::new(self.table.table())
    }

    /// Whether there is nothing but what limits count.
    pub(crate) async fn has_no_orders_or_keys(&self) -> bool {
        let items = self.table.items().await.into_iter();
        let mut items = items.map(|item| serde_dynamo::from_item::<_, Value>(item).unwrap());
        items.all(|item| {
            let pk = item["pk"].as_str().unwrap();
            pk.starts_with("LIMIT#") || pk.starts_with("HOLDER#")
        })
    }

    /// The item of every order.
    pub(crate) async fn snapshots(&self) -> Vec<Value> {
        self.table.items_of("ORDER#", "ORDER").await
    }

    pub(crate) async fn find(&self, id: OrderId) -> StoredOrder {
        self.store().find(id).await.unwrap().unwrap()
    }

    pub(crate) async fn history(&self, id: OrderId) -> Vec<Envelope> {
        let history = self.store().history(id).await.unwrap();
        history.into_iter().map(|entry| entry.event).collect()
    }

    pub(crate) async fn history_types(&self, id: OrderId) -> Vec<String> {
        let history = self.history(id).await.into_iter();
        history.map(|event| event.event_type).collect()
    }

    pub(crate) async fn assert_snapshot_is_the_fold(&self, id: OrderId) {
        let history = self.history(id).await;
        let folded = Order::fold(&history).unwrap().unwrap();
        assert_eq!(self.find(id).await.order, folded);
    }
}

pub(crate) fn order_body(items: &[(ProductId, u32)]) -> Value {
    let items: Vec<Value> = items
        .iter()
        .map(|(id, quantity)| json!({"productId": id, "quantity": quantity}))
        .collect();
    json!({"items": items, "shippingAddress": address(), "paymentMethod": "pm_card_visa"})
}

pub(crate) fn address() -> Value {
    json!({
        "name": "Ada Lovelace", "line1": "12 St James's Square", "city": "London",
        "postalCode": "SW1Y 4JH", "country": "GB"
    })
}

/// The id of the order in a reply.
pub(crate) fn order_id(reply: &Reply) -> OrderId {
    reply.body["data"]["id"].as_str().unwrap().parse().unwrap()
}
