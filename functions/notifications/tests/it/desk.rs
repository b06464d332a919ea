//! What the tests share: a table, the functions on it, and a mailer.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use contracts::{
    Envelope, EventData,
    events::{
        OrderConfirmed, OrderLine, OrderPaymentFailed, Preferences, UserRegistered, UserUpdated,
    },
};
use jiff::Timestamp;
use kernel::{Actor, Cause, Clock, Currency, Money, OrderId, PaymentId, ProductId, UserId};
use notifications::{
    events::{compose_notifications, deliver_email},
    mail::{Mail, Mailer, Renderer, SendMailError},
    store::{SCHEMA, Store},
};
use runtime::{BoxFuture, Handler, SealKey, SecretVersions};
use serde_json::Value;
use testkit::TestTable;

pub(crate) const EMAIL: &str = "ada@example.com";
pub(crate) const CORRELATION: &str = "registration-7";

/// A third party that takes mails, or does as it is told.
#[derive(Default)]
pub(crate) struct RecordingMailer {
    mails: Mutex<Vec<Mail>>,
    refusals: Mutex<VecDeque<SendMailError>>,
}

impl RecordingMailer {
    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }

    /// The next mail that is sent meets this.
    pub(crate) fn refuse_next(&self, error: SendMailError) {
        self.refusals.lock().unwrap().push_back(error);
    }
}

impl Mailer for RecordingMailer {
    fn send(&self, mail: Mail) -> BoxFuture<Result<String, SendMailError>> {
        let refusal = self.refusals.lock().unwrap().pop_front();
        if refusal.is_none() {
            self.mails.lock().unwrap().push(mail);
        }
        Box::pin(async { refusal.map_or(Ok("message-1".to_owned()), Err) })
    }
}

pub(crate) fn seal_key() -> SealKey {
    let secret = SecretVersions {
        current: "the secret of the test's mails".into(),
        previous: None,
    };
    SealKey::new(secret, "email-token")
}

pub(crate) fn renderer() -> Renderer {
    let url = "https://shop.example".parse().unwrap();
    Renderer::new("Emporium", url, seal_key()).unwrap()
}

pub(crate) struct Desk {
    pub(crate) table: TestTable,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) mailer: Arc<RecordingMailer>,
    pub(crate) composer: Handler,
    pub(crate) courier: Handler,
}

impl Desk {
    pub(crate) async fn open() -> Self {
        let table = TestTable::create(&SCHEMA).await;
        let store = Store::new(table.table());
        let clock = Clock::manual(at(0));
        let mailer = Arc::new(RecordingMailer::default());
        let composer = table.start(&compose_notifications::function()).await;
        let courier =
            deliver_email::Courier::new(store.clone(), renderer(), mailer.clone(), clock.clone());
        let courier = runtime::queue::consumer(
            "deliver-email",
            &[],
            move |_| {
                let courier = courier.clone();
                async move { Ok(courier) }
            },
            deliver_email::deliver_email,
        );
        let courier = table.start(&courier).await;
        Self {
            table,
            store,
            clock,
            mailer,
            composer,
            courier,
        }
    }

    /// Composes from events, one after the other; each must succeed.
    pub(crate) async fn compose(&self, events: &[Envelope]) {
        for event in events {
            let failed = testkit::deliver(&self.composer, std::slice::from_ref(event)).await;
            assert!(failed.is_empty(), "{}", event.event_type);
        }
    }

    /// Delivers every notification that is announced; gives how many failed.
    pub(crate) async fn deliver_all(&self) -> usize {
        let events = self.table.events().await;
        testkit::deliver(&self.courier, &events).await.len()
    }

    /// The notifications as they stand, oldest first.
    pub(crate) async fn notifications(&self) -> Vec<Value> {
        let mut found: Vec<Value> = self
            .table
            .items()
            .await
            .into_iter()
            .map(|item| serde_dynamo::from_item(item).unwrap())
            .filter(|item: &Value| item["sk"].as_str().unwrap().starts_with("NOTIFICATION#"))
            .collect();
        found.sort_by_key(|item| item["sk"].as_str().unwrap().to_owned());
        found
    }

    /// The statuses of the notifications, oldest first.
    pub(crate) async fn statuses(&self) -> Vec<String> {
        let found = self.notifications().await.into_iter();
        found
            .map(|item| item["status"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// A moment, in seconds after ten o'clock.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_255_200 + second).unwrap()
}

pub(crate) fn event<T: EventData>(data: &T, time: Timestamp) -> Envelope {
    let cause = Cause {
        correlation_id: CORRELATION.into(),
        causation_id: "request-1".into(),
        actor: Actor::Anonymous,
    };
    Envelope::new(data, time, &cause)
}

pub(crate) fn registered(user_id: UserId) -> Envelope {
    registered_as(user_id, "Ada Marsh", EMAIL, at(0))
}

pub(crate) fn registered_as(user_id: UserId, name: &str, email: &str, time: Timestamp) -> Envelope {
    let data = UserRegistered {
        user_id,
        email: email.into(),
        name: name.into(),
        sealed_verification_token: seal_key().seal("tok+en/1=").unwrap(),
    };
    event(&data, time)
}

pub(crate) fn updated(user_id: UserId, email: &str, time: Timestamp) -> Envelope {
    let data = UserUpdated {
        user_id,
        email: email.into(),
        name: "Ada King".into(),
        role: "user".into(),
        status: "active".into(),
        preferences: None,
    };
    event(&data, time)
}

/// The person wants mails from now on, or wants none.
pub(crate) fn wants_email(user_id: UserId, email: bool, time: Timestamp) -> Envelope {
    let data = UserUpdated {
        user_id,
        email: EMAIL.into(),
        name: "Ada Marsh".into(),
        role: "user".into(),
        status: "active".into(),
        preferences: Some(Preferences {
            email,
            sms: true,
            push: true,
            marketing: true,
        }),
    };
    event(&data, time)
}

pub(crate) fn dollars(minor: i64) -> Money {
    Money::new(minor, Currency::USD).unwrap()
}

pub(crate) fn confirmed(user_id: UserId) -> Envelope {
    let line = |name: &str, quantity, minor| OrderLine {
        product_id: testkit::new_id::<ProductId>(),
        name: name.into(),
        quantity,
        unit_price: dollars(minor),
    };
    let data = OrderConfirmed {
        order_id: testkit::new_id::<OrderId>(),
        user_id,
        payment_id: testkit::new_id::<PaymentId>(),
        lines: vec![
            line("Copper <kettle> & \"lid\"", 2, 4950),
            line("Tea", 1, 100),
        ],
        total: dollars(10_000),
    };
    event(&data, at(10))
}

pub(crate) fn payment_failed(user_id: UserId, reason: &str) -> Envelope {
    let data = OrderPaymentFailed {
        order_id: testkit::new_id::<OrderId>(),
        user_id,
        payment_id: testkit::new_id::<PaymentId>(),
        total: dollars(9999),
        reason: reason.into(),
    };
    event(&data, at(10))
}
