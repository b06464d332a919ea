//! What the tests share: a table, a catalog, a clock, and people.

use contracts::{Envelope, EventData};
use kernel::{Actor, Cause, Clock, OrderId, ProductId, UserId};
use orders::{
    api, domain, events,
    store::{OrderStore, StoredOrder},
};
use runtime::{Handler, http::Role};
use serde_json::{Value, json};
use testkit::{Client, Reply, TestTable, status::CREATED};

use crate::catalog::Catalog;

pub(crate) struct Shop {
    pub(crate) table: TestTable,
    pub(crate) catalog: Catalog,
    pub(crate) clock: Clock,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let mut table = TestTable::create(&orders::store::SCHEMA).await;
        let catalog = Catalog::open().await;
        table.set("AWS_ENDPOINT_URL_LAMBDA", &catalog.url);
        table.set("RESERVE_STOCK_FUNCTION", "reserve-stock");
        let clock = Clock::manual("2026-01-05T12:00:00Z".parse().unwrap());
        Self {
            table,
            catalog,
            clock,
        }
    }

    /// A client of `place-order`, freshly started, who is nobody yet.
    pub(crate) async fn place_order(&self) -> Client {
        let function = api::place_order::function_at(self.clock.clone());
        Client::new(self.table.start(&function).await)
    }

    pub(crate) async fn advance_orders(&self) -> Handler {
        self.table
            .start(&events::advance_orders::function_at(self.clock.clone()))
            .await
    }

    pub(crate) fn store(&self) -> OrderStore {
        OrderStore::new(self.table.table())
    }

    /// Places an order of two things at 10 dollars.
    pub(crate) async fn order(&self, user: UserId) -> StoredOrder {
        let product = self.catalog.stock(1_000, 2);
        let client = buyer(
            &self.place_order().await,
            user,
            &testkit::new_id::<OrderId>().to_string(),
        );
        let reply = client
            .post("/api/orders", &body(&[(product, 2)]), CREATED)
            .await;
        self.find(id_of(&reply)).await
    }

    /// Every order there is.
    pub(crate) async fn orders(&self) -> Vec<Value> {
        self.table.items_of("ORDER#", "ORDER").await
    }

    pub(crate) async fn find(&self, id: OrderId) -> StoredOrder {
        self.store().find(id).await.unwrap().unwrap()
    }

    pub(crate) async fn history(&self, id: OrderId) -> Vec<Envelope> {
        let history = self.store().history(id).await.unwrap();
        history.into_iter().map(|numbered| numbered.event).collect()
    }

    pub(crate) async fn history_types(&self, id: OrderId) -> Vec<String> {
        self.history(id)
            .await
            .into_iter()
            .map(|event| event.event_type)
            .collect()
    }

    /// The law: what stands beside the history is what the history adds up to.
    pub(crate) async fn assert_snapshot_is_the_fold(&self, id: OrderId) {
        let history = self.history(id).await;
        let folded = domain::Order::fold(&history).unwrap().unwrap();
        assert_eq!(self.find(id).await.order, folded);
    }

    /// An event of another service.
    pub(crate) fn says<T: EventData>(&self, data: &T) -> Envelope {
        let cause = Cause {
            correlation_id: "chain".into(),
            causation_id: "cause".into(),
            actor: Actor::Function("test"),
        };
        Envelope::new(data, self.clock.now(), &cause)
    }
}

pub(crate) fn buyer(client: &Client, user: UserId, key: &str) -> Client {
    client
        .as_user(user, Role::User)
        .with_header("idempotency-key", key)
}

pub(crate) fn body(items: &[(ProductId, u32)]) -> Value {
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

/// The id in a reply.
pub(crate) fn id_of(reply: &Reply) -> OrderId {
    reply.body["data"]["id"].as_str().unwrap().parse().unwrap()
}
