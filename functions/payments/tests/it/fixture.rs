//! The service on a table of its own, and the events of an order.

use std::sync::Arc;

use contracts::{
    Envelope,
    events::{
        CancellationReason, OrderCancelled, OrderCommitted, OrderLine, OrderPaymentFailed,
        OrderPlaced,
    },
};
use kernel::{Currency, Money, OrderId, PaymentId, UserId};
use payments::{
    domain::{Payment, Status},
    processor::Processor,
    store::PaymentStore,
};
use runtime::Handler;
use testkit::{Client, Service, TestTable};

use crate::recording_provider::RecordingProvider;

pub(crate) struct TestPayments {
    pub(crate) table: TestTable,
    pub(crate) provider: RecordingProvider,
    /// As `process-payments` starts it, but for the provider.
    pub(crate) processor: Arc<Processor>,
    service: Service,
}

impl TestPayments {
    pub(crate) async fn new() -> Self {
        Self::with_provider(RecordingProvider::default()).await
    }

    pub(crate) async fn with_provider(provider: RecordingProvider) -> Self {
        let table = TestTable::create_at(&payments::store::SCHEMA, "2026-01-05T12:00:00Z").await;
        let processor =
            Processor::with_provider(&table.environment(), Arc::new(provider.clone())).await;
        Self {
            provider,
            processor: Arc::new(processor.unwrap()),
            service: table.service(payments::functions()),
            table,
        }
    }

    pub(crate) fn client(&self) -> Client {
        self.service.client()
    }

    pub(crate) async fn function(&self, name: &str) -> Handler {
        self.service.function(name).await
    }

    pub(crate) async fn store(&self) -> PaymentStore {
        PaymentStore::open(&self.table.environment()).await.unwrap()
    }

    pub(crate) async fn payment(&self, id: PaymentId) -> Payment {
        let found = self.store().await.find(id).await;
        found.unwrap().unwrap().payment
    }

    pub(crate) async fn status(&self, id: PaymentId) -> Status {
        self.payment(id).await.status
    }

    /// The types of a payment's events, oldest first.
    pub(crate) async fn event_types(&self, id: PaymentId) -> Vec<String> {
        let events = self.table.events().await.into_iter();
        let own = events.filter(|event| event.subject == id.to_string());
        own.map(|event| event.event_type).collect()
    }

    /// The operator's list: the types of events, and what is wrong.
    pub(crate) async fn contradictions(&self) -> Vec<String> {
        let items = self.table.items().await.into_iter();
        let is_listed = |pk: &String| pk == dynamo::CONTRADICTIONS_PK;
        let listed = items.filter(|item| item["pk"].as_s().is_ok_and(is_listed));
        let text = listed.map(|item| {
            let of = |name: &str| item[name].as_s().unwrap().clone();
            format!("{}: {}", of("event_type"), of("reason"))
        });
        text.collect()
    }

    /// Processes events in turn; each must succeed.
    pub(crate) async fn process(&self, events: &[&Envelope]) {
        for event in events {
            self.processor.process(event).await.unwrap();
        }
    }

    /// The events that the orders service may publish about one new order.
    pub(crate) fn order(&self, payment_method: &str) -> Order {
        let (order_id, user_id, payment_id): (OrderId, UserId, PaymentId) =
            (testkit::new_id(), testkit::new_id(), testkit::new_id());
        let total = Money::new(3_998, Currency::USD).unwrap();
        let line = OrderLine {
            product_id: testkit::new_id(),
            name: "Desk lamp".into(),
            quantity: 2,
            unit_price: Money::new(1_999, Currency::USD).unwrap(),
        };
        Order {
            payment_id,
            order_id,
            user_id,
            total,
            placed: self.table.event(&OrderPlaced {
                order_id,
                user_id,
                payment_id,
                payment_method: payment_method.into(),
                lines: vec![line],
                total,
                held_until: "2026-01-05T12:15:00Z".parse().unwrap(),
            }),
            committed: self.table.event(&OrderCommitted {
                order_id,
                payment_id,
                total,
            }),
            cancelled: self.table.event(&OrderCancelled {
                order_id,
                user_id,
                payment_id,
                total,
                reason: CancellationReason::ReservationExpired,
            }),
            payment_failed: self.table.event(&OrderPaymentFailed {
                order_id,
                user_id,
                payment_id,
                total,
                reason: "card_declined".into(),
            }),
        }
    }
}

/// One order's events.
#[derive(Clone)]
pub(crate) struct Order {
    pub(crate) payment_id: PaymentId,
    pub(crate) order_id: OrderId,
    pub(crate) user_id: UserId,
    pub(crate) total: Money,
    pub(crate) placed: Envelope,
    pub(crate) committed: Envelope,
    pub(crate) cancelled: Envelope,
    pub(crate) payment_failed: Envelope,
}
