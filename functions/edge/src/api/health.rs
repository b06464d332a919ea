//! `GET /health`: how every table, topic and queue of the shop is.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_sdk_sqs::types::QueueAttributeName;
use futures_util::future::join_all;
use http::{HeaderValue, header};
use jiff::SignedDuration;
use kernel::Clock;
use runtime::{
    Environment, EnvironmentError, Error, Function, Grant,
    aws::Aws,
    grant,
    http::{Access, Endpoint, Reply, State, StatusCode},
    log, metrics,
};
use tokio::sync::Mutex;

use crate::domain::{Check, Dependency, Health, Kind, Status, dependencies};

/// For one check. In the region an answer takes milliseconds: what needs a
/// second is not well, and all checks together must stay far below what a
/// load balancer or a monitor waits.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);
/// How long an answer holds. The route is public and asks twenty-one questions of
/// AWS, of which `GetTopicAttributes` may be asked 30 times a second in an
/// account: without this, asking often would make the shop look ill.
const FRESH: SignedDuration = SignedDuration::from_secs(2);
/// When to ask again after a fault, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

const GRANTS: &[Grant] = &[
    grant("dynamodb:DescribeTable", "UsersTable"),
    grant("dynamodb:DescribeTable", "CatalogTable"),
    grant("dynamodb:DescribeTable", "OrdersTable"),
    grant("dynamodb:DescribeTable", "PaymentsTable"),
    grant("dynamodb:DescribeTable", "NotificationsTable"),
    grant("sns:GetTopicAttributes", "UsersTopic"),
    grant("sns:GetTopicAttributes", "CatalogTopic"),
    grant("sns:GetTopicAttributes", "OrdersTopic"),
    grant("sns:GetTopicAttributes", "PaymentsTopic"),
    grant("sns:GetTopicAttributes", "NotificationsTopic"),
    grant("sqs:GetQueueAttributes", "FailedRecordsQueue"),
    grant("sqs:GetQueueAttributes", "SettleReservationsQueue"),
    grant(
        "sqs:GetQueueAttributes",
        "SettleReservationsDeadLetterQueue",
    ),
    grant("sqs:GetQueueAttributes", "AdvanceOrdersQueue"),
    grant("sqs:GetQueueAttributes", "AdvanceOrdersDeadLetterQueue"),
    grant("sqs:GetQueueAttributes", "ProcessPaymentsQueue"),
    grant("sqs:GetQueueAttributes", "ProcessPaymentsDeadLetterQueue"),
    grant("sqs:GetQueueAttributes", "ComposeNotificationsQueue"),
    grant(
        "sqs:GetQueueAttributes",
        "ComposeNotificationsDeadLetterQueue",
    ),
    grant("sqs:GetQueueAttributes", "AnonymiseOrdersQueue"),
    grant("sqs:GetQueueAttributes", "AnonymiseOrdersDeadLetterQueue"),
    grant("sqs:GetQueueAttributes", "DeliverEmailQueue"),
    grant("sqs:GetQueueAttributes", "DeliverEmailDeadLetterQueue"),
];

/// The function.
pub fn function() -> Function {
    Endpoint::new("health", Access::Public, GRANTS)
        .get("/health", health)
        .start(Checker::start)
}

/// Asks, and remembers the last answer for a moment.
pub struct Checker {
    service: String,
    clock: Clock,
    dependencies: Vec<Dependency>,
    tables: aws_sdk_dynamodb::Client,
    topics: aws_sdk_sns::Client,
    queues: aws_sdk_sqs::Client,
    last: Mutex<Option<Health>>,
}

impl Checker {
    /// A checker of what `HEALTH_TABLES`, `HEALTH_TOPICS` and `HEALTH_QUEUES` list.
    ///
    /// # Errors
    /// When a variable is missing or does not read: a check that is left out
    /// would say of a fault that all is well.
    pub async fn start(environment: Environment) -> Result<Arc<Self>, Error> {
        Self::start_at(environment, Clock::System).await
    }

    /// The same, by another clock.
    ///
    /// # Errors
    /// As [`Checker::start`].
    pub async fn start_at(environment: Environment, clock: Clock) -> Result<Arc<Self>, Error> {
        let aws = Aws::from_environment(&environment)?;
        let mut listed = Vec::new();
        for (kind, name) in [
            (Kind::Table, "HEALTH_TABLES"),
            (Kind::Topic, "HEALTH_TOPICS"),
            (Kind::Queue, "HEALTH_QUEUES"),
        ] {
            let list = dependencies(kind, environment.require(name)?);
            listed.extend(list.map_err(|_| EnvironmentError::Unreadable {
                name: name.to_owned(),
                expected: "a list as in users=emporium-UsersTable-1,orders=…",
            })?);
        }
        let checker = Arc::new(Self {
            service: environment.get("SERVICE").unwrap_or("emporium").to_owned(),
            clock,
            dependencies: listed,
            tables: aws.dynamodb(),
            topics: aws.sns(),
            queues: aws.sqs(),
            last: Mutex::new(None),
        });
        // Opens the three connections while the function has a full processor:
        // on the first request their handshakes would look like a slow shop.
        // What it finds does not matter.
        join_all(checker.dependencies.iter().map(|one| checker.answers(one))).await;
        Ok(checker)
    }

    async fn health(&self) -> Health {
        // Held while asking, so that many who ask at once ask AWS once.
        let mut last = self.last.lock().await;
        let now = self.clock.now();
        if let Some(known) = last
            .as_ref()
            .filter(|known| now.duration_since(known.timestamp) < FRESH)
        {
            return known.clone();
        }
        let checks = join_all(self.dependencies.iter().map(|one| self.check(one))).await;
        last.insert(Health::of(&self.service, now, checks)).clone()
    }

    async fn check(&self, dependency: &Dependency) -> Check {
        let started = Instant::now();
        let status = match self.answers(dependency).await {
            Ok(()) => Status::Healthy,
            Err(error) => {
                match dependency.kind {
                    Kind::Table => metrics::Dependency::DynamoDb,
                    Kind::Topic => metrics::Dependency::Sns,
                    Kind::Queue => metrics::Dependency::Sqs,
                }
                .failed();
                let (check, error) = (&dependency.name, log::error_chain(error.as_ref()));
                tracing::error!(check, error, "health check failed");
                Status::Unhealthy
            }
        };
        Check {
            name: dependency.name.clone(),
            kind: dependency.kind,
            status,
            response_time_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }

    async fn answers(&self, dependency: &Dependency) -> Result<(), Error> {
        let address = &dependency.address;
        let answer = async {
            match dependency.kind {
                Kind::Table => {
                    let asked = self.tables.describe_table().table_name(address);
                    asked.send().await.map(drop).map_err(Error::from)
                }
                Kind::Topic => {
                    let asked = self.topics.get_topic_attributes().topic_arn(address);
                    asked.send().await.map(drop).map_err(Error::from)
                }
                Kind::Queue => {
                    let asked = self.queues.get_queue_attributes().queue_url(address);
                    let asked = asked.attribute_names(QueueAttributeName::QueueArn);
                    asked.send().await.map(drop).map_err(Error::from)
                }
            }
        };
        tokio::time::timeout(CHECK_TIMEOUT, answer).await?
    }
}

/// Answers 200 when everything does, else 503, both times with every check in
/// `data`. A 503 is not a problem document here: who looks after the shop wants
/// the same list to see what is down, and a monitor only looks at the status.
pub async fn health(State(checker): State<Arc<Checker>>) -> Reply {
    let health = checker.health().await;
    match health.status {
        Status::Healthy => Reply::ok("everything answers", &health),
        Status::Unhealthy => Reply::ok("something does not answer", &health)
            .with_status(StatusCode::SERVICE_UNAVAILABLE)
            .with_header(header::RETRY_AFTER, RETRY_AFTER),
    }
}
