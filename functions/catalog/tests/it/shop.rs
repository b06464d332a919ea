//! A shop of one service: its functions on one table, with one clock.

use catalog::{api, domain::Reservation, events, store::CatalogStore};
use contracts::{
    Envelope, EventData,
    calls::{ReserveStock, StockReservation},
    events::{CancellationReason, OrderAuthorized, OrderCancelled, OrderPaymentFailed, Quantity},
};
use kernel::{
    Actor, CategoryId, Cause, Clock, Currency, Money, OrderId, PaymentId, ProductId, UserId,
};
use runtime::{Context, Function, Handler, LambdaEvent};
use serde_json::{Value, json, value::to_raw_value};
use testkit::{Client, TestTable, deliver, status::CREATED};

pub(crate) struct Shop {
    pub(crate) table: TestTable,
    pub(crate) clock: Clock,
    reserve: Handler,
    settle: Handler,
    expire: Handler,
    products: Client,
    categories: Client,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let table = TestTable::create(&catalog::store::SCHEMA).await;
        let clock = Clock::manual("2026-01-05T12:00:00Z".parse().unwrap());
        let at = || clock.clone();
        let start = async |function: Function| table.start(&function).await;
        Self {
            reserve: start(api::reserve_stock::function_at(at())).await,
            settle: start(events::settle_reservations::function_at(at())).await,
            expire: start(events::expire_reservations::function_at(at())).await,
            products: Client::new(start(api::create_product::function_at(at())).await)
                .as_internal(),
            categories: Client::new(start(api::create_category::function_at(at())).await)
                .as_internal(),
            table,
            clock,
        }
    }

    /// A client of a function, who is nobody.
    pub(crate) async fn client(&self, function: &Function) -> Client {
        Client::new(self.table.start(function).await)
    }

    pub(crate) fn store(&self) -> CatalogStore {
        CatalogStore::new(self.table.table())
    }

    pub(crate) async fn category(&self, name: &str, parent: Option<CategoryId>) -> CategoryId {
        let body = json!({ "name": name, "parentId": parent });
        let reply = self
            .categories
            .post("/api/categories", &body, CREATED)
            .await;
        id(&reply.body)
    }

    /// Makes a product from a body; what is missing is filled in.
    pub(crate) async fn product_of(&self, mut body: Value) -> ProductId {
        if body.get("categoryId").is_none() {
            let name = format!("Things {}", testkit::new_id::<CategoryId>());
            body["categoryId"] = json!(self.category(&name, None).await);
        }
        if body.get("price").is_none() {
            body["price"] = json!(10);
        }
        let reply = self.products.post("/api/products", &body, CREATED).await;
        id(&reply.body)
    }

    pub(crate) async fn product(&self, stock: u32) -> ProductId {
        self.product_of(json!({ "name": "Lamp", "stock": stock }))
            .await
    }

    pub(crate) async fn stock(&self, id: ProductId) -> u32 {
        self.store().product(id).await.unwrap().unwrap().stock
    }

    pub(crate) async fn reserve(
        &self,
        order_id: OrderId,
        lines: &[(ProductId, u32)],
    ) -> StockReservation {
        self.try_reserve(order_id, lines).await.unwrap()
    }

    pub(crate) async fn try_reserve(
        &self,
        order_id: OrderId,
        lines: &[(ProductId, u32)],
    ) -> Result<StockReservation, runtime::Error> {
        let call = ReserveStock {
            order_id,
            lines: quantities(lines),
            correlation_id: "chain".into(),
        };
        let payload = to_raw_value(&call).unwrap();
        let reply = (self.reserve)(LambdaEvent::new(payload, Context::default())).await?;
        Ok(serde_json::from_str(reply.get()).unwrap())
    }

    /// Holds goods for a new order.
    pub(crate) async fn hold(&self, lines: &[(ProductId, u32)]) -> OrderId {
        let order_id = testkit::new_id::<OrderId>();
        let answer = self.reserve(order_id, lines).await;
        assert!(
            matches!(answer, StockReservation::Held { .. }),
            "{answer:?}"
        );
        order_id
    }

    /// Delivers events; they must all be taken.
    pub(crate) async fn tell(&self, events: &[Envelope]) {
        let failed = deliver(&self.settle, events).await;
        assert_eq!(failed, [0_usize; 0], "events that failed");
    }

    /// Delivers events; gives those that would come again.
    pub(crate) async fn try_tell(&self, events: &[Envelope]) -> Vec<usize> {
        deliver(&self.settle, events).await
    }

    /// One round of `expire-reservations`; how many holds it ended.
    pub(crate) async fn expire(&self) -> u64 {
        testkit::run(&self.expire).await["expired"]
            .as_u64()
            .unwrap()
    }

    pub(crate) async fn reservation(&self, id: OrderId) -> Reservation {
        self.store().reservation(id).await.unwrap().unwrap()
    }

    /// What the catalog has said about an order, in order.
    pub(crate) async fn said_of(&self, id: OrderId) -> Vec<String> {
        let of_order = |event: &Envelope| event.subject == id.to_string();
        let events = self.table.events().await.into_iter().filter(of_order);
        events.map(|event| event.event_type).collect()
    }

    pub(crate) fn authorized(&self, order_id: OrderId) -> Envelope {
        self.says(&OrderAuthorized {
            order_id,
            payment_id: testkit::new_id::<PaymentId>(),
        })
    }

    pub(crate) fn cancelled(&self, order_id: OrderId) -> Envelope {
        self.says(&OrderCancelled {
            order_id,
            user_id: testkit::new_id::<UserId>(),
            payment_id: testkit::new_id::<PaymentId>(),
            total: Money::zero(Currency::USD),
            reason: CancellationReason::ReservationExpired,
        })
    }

    pub(crate) fn payment_failed(&self, order_id: OrderId) -> Envelope {
        self.says(&OrderPaymentFailed {
            order_id,
            user_id: testkit::new_id::<UserId>(),
            payment_id: testkit::new_id::<PaymentId>(),
            total: Money::zero(Currency::USD),
            reason: "card_declined".into(),
        })
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

pub(crate) fn quantities(lines: &[(ProductId, u32)]) -> Vec<Quantity> {
    let quantity = |&(product_id, quantity)| Quantity {
        product_id,
        quantity,
    };
    lines.iter().map(quantity).collect()
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(body: &Value) -> T {
    body["data"]["id"].as_str().unwrap().parse().unwrap()
}
