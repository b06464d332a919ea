//! The service on a table of its own, and a mailbox in place of SES.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use contracts::{Envelope, events::NotificationQueued};
use kernel::{NotificationId, Timestamp, UserId};
use notifications::{
    mail::{PublicUrl, Renderer},
    store::{SCHEMA, Store},
};
use runtime::{Handler, Random, SealKey, SecretVersions};
use serde_json::Value;
use testkit::{Client, Service, StubReply, StubServer, TestTable};

pub(crate) const EMAIL: &str = "ada@example.com";
/// The time that the clock of the tests shows first: see [`at`].
const START: &str = "2026-11-21T10:00:00Z";
const PUBLIC_URL: &str = "https://shop.example";
const MAIL_SECRET: &str = "the secret of the test's emails";

/// An email that the mailbox accepted.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedMail {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
    pub(crate) correlation_id: String,
}

impl ReceivedMail {
    /// Parses a `SendEmail` request.
    fn from_request(body: &str) -> Self {
        let fields: BTreeMap<String, String> = form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .collect();
        let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
        assert_eq!(field("Tags.member.1.Name"), "correlation-id");
        Self {
            to: field("Destination.ToAddresses.member.1"),
            subject: field("Message.Subject.Data"),
            text: field("Message.Body.Text.Data"),
            html: field("Message.Body.Html.Data"),
            correlation_id: field("Tags.member.1.Value"),
        }
    }
}

/// SES, as far as the service uses it.
pub(crate) struct Mailbox {
    server: StubServer,
    received: Arc<Mutex<Vec<ReceivedMail>>>,
    failures: Arc<Mutex<VecDeque<StubReply>>>,
}

impl Mailbox {
    async fn start() -> Self {
        let received: Arc<Mutex<Vec<ReceivedMail>>> = Arc::default();
        let failures: Arc<Mutex<VecDeque<StubReply>>> = Arc::default();
        let (accepted, planned) = (received.clone(), failures.clone());
        let server = StubServer::start(move |body, _| {
            if let Some(failure) = planned.lock().unwrap().pop_front() {
                return failure;
            }
            let mail = ReceivedMail::from_request(body);
            accepted.lock().unwrap().push(mail);
            sent()
        });
        Self {
            server: server.await,
            received,
            failures,
        }
    }

    pub(crate) fn mails(&self) -> Vec<ReceivedMail> {
        self.received.lock().unwrap().clone()
    }

    /// Replies to the next request with a failure.
    pub(crate) fn fail_next(&self, failure: StubReply) {
        self.failures.lock().unwrap().push_back(failure);
    }
}

pub(crate) fn sent() -> StubReply {
    let body = "<SendEmailResponse><SendEmailResult><MessageId>ses-1</MessageId>\
        </SendEmailResult></SendEmailResponse>";
    StubReply::Reply(200, body.into())
}

/// An error reply of SES.
pub(crate) fn error(status: u16, code: &str, message: &str) -> StubReply {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error></ErrorResponse>"
    );
    StubReply::Reply(status, body)
}

pub(crate) fn seal_key() -> SealKey {
    let secret = SecretVersions {
        current: MAIL_SECRET.into(),
        previous: None,
    };
    SealKey::new(secret, "email-token", Random::system())
}

/// A renderer like that of `deliver-email` in these tests.
pub(crate) fn renderer() -> Renderer {
    let url: PublicUrl = PUBLIC_URL.parse().unwrap();
    Renderer::new("Emporium", url, seal_key()).unwrap()
}

/// The time so many seconds after the tests' start.
pub(crate) fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = START.parse().unwrap();
    Timestamp::from_second(start.as_second() + seconds).unwrap()
}

pub(crate) struct TestNotifications {
    pub(crate) table: TestTable,
    pub(crate) store: Store,
    pub(crate) mailbox: Mailbox,
    service: Service,
}

impl TestNotifications {
    pub(crate) async fn new() -> Self {
        let mut table = TestTable::create_at(&SCHEMA, START).await;
        let mailbox = Mailbox::start().await;
        table.set("AWS_ENDPOINT_URL_SES", &mailbox.server.url);
        table.set("MAIL_FROM", "shop@example.com");
        table.set("PUBLIC_URL", PUBLIC_URL);
        table.set_secret("MAIL_SECRET", MAIL_SECRET, None);
        Self {
            store: Store::open(&table.environment()).await.unwrap(),
            service: table.service(notifications::functions()),
            mailbox,
            table,
        }
    }

    pub(crate) fn client(&self) -> Client {
        self.service.client()
    }

    pub(crate) async fn function(&self, name: &str) -> Handler {
        self.service.function(name).await
    }

    /// Composes notifications from events, in turn; each must succeed.
    pub(crate) async fn compose(&self, events: &[Envelope]) {
        let composer = self.function("compose-notifications").await;
        for event in events {
            let failed = testkit::deliver(&composer, std::slice::from_ref(event)).await;
            assert!(failed.is_empty(), "{}", event.event_type);
        }
    }

    /// Delivers events to `deliver-email` in one batch; returns the indexes of
    /// those that failed.
    pub(crate) async fn deliver(&self, events: &[Envelope]) -> Vec<usize> {
        testkit::deliver(&self.function("deliver-email").await, events).await
    }

    /// Delivers every event of the outbox; returns how many failed.
    pub(crate) async fn deliver_all(&self) -> usize {
        self.deliver(&self.table.events().await).await.len()
    }

    /// An event that announces a notification.
    pub(crate) fn queued(&self, notification_id: NotificationId, user_id: UserId) -> Envelope {
        self.table.event(&NotificationQueued {
            notification_id,
            user_id,
            channel: contracts::events::Channel::Email,
            unlisted: None,
        })
    }

    /// The items of the notifications, oldest first.
    pub(crate) async fn items(&self) -> Vec<Value> {
        let items = self.table.items().await.into_iter();
        let mut items: Vec<Value> = items
            .map(|item| serde_dynamo::from_item(item).unwrap())
            .filter(|item: &Value| item["sk"].as_str().unwrap().starts_with("NOTIFICATION#"))
            .collect();
        items.sort_by_key(|item| item["sk"].as_str().unwrap().to_owned());
        items
    }

    /// The statuses of the notifications, oldest first.
    pub(crate) async fn statuses(&self) -> Vec<String> {
        let items = self.items().await.into_iter();
        items
            .map(|item| item["status"].as_str().unwrap().to_owned())
            .collect()
    }
}
