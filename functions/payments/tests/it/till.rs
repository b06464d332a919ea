//! What the tests share: a table, a ledger, and what orders says.

use std::sync::Arc;

use contracts::{
    Envelope, EventData,
    events::{
        CancellationReason, OrderCancelled, OrderCommitted, OrderLine, OrderPaymentFailed,
        OrderPlaced,
    },
};
use kernel::{Actor, Cause, Clock, Currency, Money, OrderId, PaymentId, ProductId, UserId};
use payments::{
    domain::{Payment, Status},
    events::process_payments::Processor,
    store::PaymentStore,
};
use testkit::TestTable;

use crate::ledger::Ledger;

pub(crate) struct Till {
    pub(crate) table: TestTable,
    pub(crate) ledger: Ledger,
    pub(crate) processor: Arc<Processor>,
}

impl Till {
    pub(crate) async fn open() -> Self {
        Self::open_with(Ledger::default()).await
    }

    pub(crate) async fn open_with(ledger: Ledger) -> Self {
        let table = TestTable::create(&payments::store::SCHEMA).await;
        let clock = Clock::manual("2026-01-05T12:00:00Z".parse().unwrap());
        let store = PaymentStore::new(table.table());
        let processor = Arc::new(Processor::new(store, Arc::new(ledger.clone()), clock));
        Self {
            table,
            ledger,
            processor,
        }
    }

    pub(crate) fn store(&self) -> PaymentStore {
        PaymentStore::new(self.table.table())
    }

    pub(crate) async fn payment(&self, id: PaymentId) -> Payment {
        self.store().find(id).await.unwrap().unwrap().payment
    }

    pub(crate) async fn status(&self, id: PaymentId) -> Status {
        self.payment(id).await.status
    }

    /// The types of a payment's events, oldest first.
    pub(crate) async fn events(&self, id: PaymentId) -> Vec<String> {
        let events = self.table.events().await.into_iter();
        let own = events.filter(|event| event.subject == id.to_string());
        own.map(|event| event.event_type).collect()
    }

    /// Tells the processor; each event must be taken.
    pub(crate) async fn tell(&self, events: &[&Envelope]) {
        for event in events {
            self.processor.process(event).await.unwrap();
        }
    }
}

/// What orders says about one order.
#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) payment_id: PaymentId,
    pub(crate) order_id: OrderId,
    pub(crate) user_id: UserId,
    pub(crate) total: Money,
    pub(crate) placed: Envelope,
    pub(crate) committed: Envelope,
    pub(crate) cancelled: Envelope,
    pub(crate) payment_failed: Envelope,
}

pub(crate) fn said(payment_method: &str) -> Said {
    let (order_id, user_id, payment_id) = (
        testkit::new_id::<OrderId>(),
        testkit::new_id::<UserId>(),
        testkit::new_id::<PaymentId>(),
    );
    let total = Money::new(3_998, Currency::USD).unwrap();
    let line = OrderLine {
        product_id: testkit::new_id::<ProductId>(),
        name: "a thing".into(),
        quantity: 2,
        unit_price: Money::new(1_999, Currency::USD).unwrap(),
    };
    Said {
        payment_id,
        order_id,
        user_id,
        total,
        placed: says(&OrderPlaced {
            order_id,
            user_id,
            payment_id,
            payment_method: payment_method.into(),
            lines: vec![line],
            total,
            held_until: "2026-01-05T12:15:00Z".parse().unwrap(),
        }),
        committed: says(&OrderCommitted {
            order_id,
            payment_id,
            total,
        }),
        cancelled: says(&OrderCancelled {
            order_id,
            user_id,
            payment_id,
            total,
            reason: CancellationReason::ReservationExpired,
        }),
        payment_failed: says(&OrderPaymentFailed {
            order_id,
            user_id,
            payment_id,
            total,
            reason: "card_declined".into(),
        }),
    }
}

pub(crate) fn says<T: EventData>(data: &T) -> Envelope {
    let cause = Cause {
        correlation_id: "chain".into(),
        causation_id: "cause".into(),
        actor: Actor::Function("test"),
    };
    Envelope::new(data, "2026-01-05T12:00:00Z".parse().unwrap(), &cause)
}
