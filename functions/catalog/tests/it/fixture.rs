//! The service on a table of its own.

use catalog::{
    domain::{Product, Reservation, Shard},
    store::CatalogStore,
};
use contracts::{
    Envelope,
    calls::{ReserveStock, StockReservation},
    events::{CancellationReason, OrderAuthorized, OrderCancelled, OrderPaymentFailed, Quantity},
};
use kernel::{CategoryId, Currency, Money, OrderId, ProductId, SignedDuration};
use runtime::{Error, Handler};
use serde_json::{Value, json};
use testkit::{
    Client, Service, TestTable,
    status::{CREATED, OK},
};
use uuid::Uuid;

pub(crate) struct TestCatalog {
    pub(crate) table: TestTable,
    pub(crate) store: CatalogStore,
    service: Service,
}

impl TestCatalog {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same with more variables.
    pub(crate) async fn with(variables: &[(&str, &str)]) -> Self {
        let mut table = Self::empty_table().await;
        for (name, value) in variables {
            table.set(name, value);
        }
        Self::on(table).await
    }

    pub(crate) async fn empty_table() -> TestTable {
        TestTable::create_at(&catalog::store::SCHEMA, "2026-01-05T12:00:00Z").await
    }

    pub(crate) async fn on(table: TestTable) -> Self {
        Self {
            store: CatalogStore::open(&table.environment()).await.unwrap(),
            service: table.service(catalog::functions()),
            table,
        }
    }

    /// A client that is not signed in.
    pub(crate) fn client(&self) -> Client {
        self.service.client()
    }

    pub(crate) fn internal(&self) -> Client {
        self.client().as_internal()
    }

    pub(crate) async fn function(&self, name: &str) -> Handler {
        self.service.function(name).await
    }

    pub(crate) fn advance(&self, by: SignedDuration) {
        self.table.clock().advance(by);
    }

    pub(crate) async fn category(&self, name: &str, parent: Option<CategoryId>) -> CategoryId {
        let body = json!({ "name": name, "parentId": parent });
        let reply = self
            .internal()
            .post("/api/categories", &body, CREATED)
            .await;
        id(&reply.body)
    }

    /// Creates a product; a missing category or price is filled in.
    pub(crate) async fn product_of(&self, mut body: Value) -> ProductId {
        if body.get("categoryId").is_none() {
            let name = format!("Category {}", testkit::new_id::<CategoryId>());
            body["categoryId"] = json!(self.category(&name, None).await);
        }
        if body.get("price").is_none() {
            body["price"] = json!(10);
        }
        let reply = self.internal().post("/api/products", &body, CREATED).await;
        id(&reply.body)
    }

    pub(crate) async fn product(&self, stock: u32) -> ProductId {
        let body = json!({ "name": "Lamp", "stock": stock });
        self.product_of(body).await
    }

    pub(crate) async fn peek(&self, id: ProductId) -> Product {
        self.store.product(id).await.unwrap().unwrap()
    }

    pub(crate) async fn shards(&self, id: ProductId) -> Vec<Shard> {
        let product = self.peek(id).await;
        let shards = self.store.shards(id, product.shard_numbers()).await;
        let mut shards = shards.unwrap();
        assert_eq!(shards.len(), product.shards as usize);
        shards.sort_by_key(|shard| shard.number);
        shards
    }

    /// What is available of a product, in it and in all its shards.
    pub(crate) async fn stock(&self, id: ProductId) -> u32 {
        let in_shards = self.shards(id).await.into_iter().map(|shard| shard.stock);
        self.peek(id).await.stock + in_shards.sum::<u32>()
    }

    pub(crate) async fn held(&self, id: ProductId) -> u32 {
        let in_shards = self.shards(id).await.into_iter().map(|shard| shard.held);
        self.peek(id).await.held + in_shards.sum::<u32>()
    }

    pub(crate) async fn held_unverified(&self, id: ProductId) -> u32 {
        let shards = self.shards(id).await.into_iter();
        let in_shards = shards.map(|shard| shard.held_unverified);
        self.peek(id).await.held_unverified + in_shards.sum::<u32>()
    }

    /// Changes a stock, under a new key.
    pub(crate) async fn adjust(&self, id: ProductId, operation: &str, quantity: u32) -> Value {
        let body = json!({ "quantity": quantity, "operation": operation });
        let path = format!("/api/products/{id}/stock");
        let client = self.internal().with_header("Idempotency-Key", &new_key());
        client.put(&path, &body, OK).await.body["data"].clone()
    }

    pub(crate) async fn reserve(
        &self,
        order_id: OrderId,
        lines: &[(ProductId, u32)],
    ) -> StockReservation {
        self.try_reserve(order_id, lines, false).await.unwrap()
    }

    /// The same for a buyer who has not proven the account's address.
    pub(crate) async fn reserve_unverified(
        &self,
        order_id: OrderId,
        lines: &[(ProductId, u32)],
    ) -> StockReservation {
        self.try_reserve(order_id, lines, true).await.unwrap()
    }

    pub(crate) async fn try_reserve(
        &self,
        order_id: OrderId,
        lines: &[(ProductId, u32)],
        unverified: bool,
    ) -> Result<StockReservation, Error> {
        let call = ReserveStock {
            order_id,
            lines: quantities(lines),
            unverified,
            knows_invalid_total: true,
            knows_contended: true,
            correlation_id: "test-correlation".into(),
        };
        self.call_reserve(&call).await
    }

    /// Reserves a unit for a new order, and repeats a call that failed, or that met
    /// too many others. On a busy machine the embedded database keeps some of
    /// many calls waiting for too long, which is as good as a lost reply.
    pub(crate) async fn reserve_at_last(&self, product: ProductId) -> StockReservation {
        let order_id = testkit::new_id();
        for _ in 0..20 {
            match self.try_reserve(order_id, &[(product, 1)], false).await {
                Ok(StockReservation::Contended) | Err(_) => {}
                Ok(reply) => return reply,
            }
        }
        panic!("no reply")
    }

    pub(crate) async fn call_reserve(
        &self,
        call: &ReserveStock,
    ) -> Result<StockReservation, Error> {
        testkit::call(&self.function("reserve-stock").await, call).await
    }

    /// Reserves goods for a new order.
    pub(crate) async fn hold(&self, lines: &[(ProductId, u32)]) -> OrderId {
        let order_id = testkit::new_id();
        let reply = self.reserve(order_id, lines).await;
        assert!(matches!(reply, StockReservation::Held { .. }), "{reply:?}");
        order_id
    }

    /// Delivers events to `settle-reservations`; all of them must succeed.
    pub(crate) async fn settle(&self, events: &[Envelope]) {
        let failed = self.try_settle(events).await;
        assert_eq!(failed, [0_usize; 0], "events that failed");
    }

    /// Delivers events; returns the indexes of those that failed.
    pub(crate) async fn try_settle(&self, events: &[Envelope]) -> Vec<usize> {
        testkit::deliver(&self.function("settle-reservations").await, events).await
    }

    /// Runs `expire-reservations`; returns how many reservations it ended.
    pub(crate) async fn expire(&self) -> u64 {
        let report = testkit::run(&self.function("expire-reservations").await).await;
        report["expired"].as_u64().unwrap()
    }

    pub(crate) async fn reservation(&self, id: OrderId) -> Reservation {
        self.store.reservation(id).await.unwrap().unwrap()
    }

    pub(crate) async fn reservations(&self) -> Vec<Reservation> {
        self.table.items_of("RESERVATION#", "RESERVATION").await
    }

    /// The events about an order's reservation, oldest first.
    pub(crate) async fn events_of(&self, id: OrderId) -> Vec<Envelope> {
        let events = self.table.events().await.into_iter();
        events
            .filter(|event| event.subject == id.to_string())
            .collect()
    }

    pub(crate) async fn event_types_of(&self, id: OrderId) -> Vec<String> {
        let events = self.events_of(id).await.into_iter();
        events.map(|event| event.event_type).collect()
    }

    pub(crate) fn authorized(&self, order_id: OrderId) -> Envelope {
        self.table.event(&OrderAuthorized {
            order_id,
            payment_id: testkit::new_id(),
        })
    }

    pub(crate) fn cancelled(&self, order_id: OrderId) -> Envelope {
        self.table.event(&OrderCancelled {
            order_id,
            user_id: testkit::new_id(),
            payment_id: testkit::new_id(),
            total: Money::zero(Currency::USD),
            reason: CancellationReason::ReservationExpired,
        })
    }

    pub(crate) fn payment_failed(&self, order_id: OrderId) -> Envelope {
        self.table.event(&OrderPaymentFailed {
            order_id,
            user_id: testkit::new_id(),
            payment_id: testkit::new_id(),
            total: Money::zero(Currency::USD),
            reason: "card_declined".into(),
        })
    }
}

pub(crate) fn quantities(lines: &[(ProductId, u32)]) -> Vec<Quantity> {
    let quantity = |&(product_id, quantity)| Quantity {
        product_id,
        quantity,
    };
    lines.iter().map(quantity).collect()
}

pub(crate) fn new_key() -> String {
    testkit::new_id::<Uuid>().to_string()
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(body: &Value) -> T {
    body["data"]["id"].as_str().unwrap().parse().unwrap()
}
