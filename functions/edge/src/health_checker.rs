//! Checks the dependencies that the environment lists.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use futures_util::future::join_all;
use jiff::SignedDuration;
use runtime::{Clock, Environment, EnvironmentError, Error, Stopwatch, aws::Aws, log, metrics};
use tokio::sync::Mutex;

use crate::domain::{Check, Dependency, Health, Kind, Status, dependencies};

/// Within a region a call takes milliseconds: what needs a second is unhealthy,
/// and all checks together must take far less than a load balancer or a monitor
/// waits.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a result is reused. The route is public and makes more than twenty
/// calls to AWS, of which an account may make 30 GetTopicAttributes a second:
/// without this, frequent requests would make the shop look unhealthy.
const MAX_AGE: SignedDuration = SignedDuration::from_secs(2);

pub(crate) struct HealthChecker {
    service: String,
    clock: Clock,
    dependencies: Vec<Dependency>,
    dynamodb: aws_sdk_dynamodb::Client,
    sns: aws_sdk_sns::Client,
    sqs: aws_sdk_sqs::Client,
    last: Mutex<Option<Health>>,
}

impl HealthChecker {
    /// Reads `HEALTH_TABLES`, `HEALTH_TOPICS` and `HEALTH_QUEUES`. A missing or
    /// unreadable one is an error: a dependency that is not checked would count
    /// as healthy.
    pub(crate) async fn start(environment: Environment) -> Result<Self, Error> {
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
                expected: "a list such as users=emporium-UsersTable-1,orders=…",
            })?);
        }
        let checker = Self {
            service: environment.get("SERVICE").unwrap_or("emporium").to_owned(),
            clock: environment.host().clock().clone(),
            dependencies: listed,
            dynamodb: aws.dynamodb(),
            sns: aws.sns(),
            sqs: aws.sqs(),
            last: Mutex::new(None),
        };
        // Opens the three connections while the function has a full processor:
        // in the first request the handshakes would make the shop look slow.
        // The results do not matter.
        join_all(checker.dependencies.iter().map(|one| checker.call(one))).await;
        Ok(checker)
    }

    pub(crate) async fn health(&self) -> Health {
        // Locked during the checks, so that simultaneous requests share them.
        let mut last = self.last.lock().await;
        let now = self.clock.now();
        let is_fresh = |health: &&Health| now.duration_since(health.timestamp) < MAX_AGE;
        if let Some(health) = last.as_ref().filter(is_fresh) {
            return health.clone();
        }
        let checks = join_all(self.dependencies.iter().map(|one| self.check(one))).await;
        last.insert(Health::of(&self.service, now, checks)).clone()
    }

    async fn check(&self, dependency: &Dependency) -> Check {
        let stopwatch = Stopwatch::start();
        let status = match self.call(dependency).await {
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
            response_time_ms: stopwatch.elapsed_ms(),
        }
    }

    async fn call(&self, dependency: &Dependency) -> Result<(), Error> {
        let address = &dependency.address;
        let call = async {
            match dependency.kind {
                Kind::Table => {
                    let request = self.dynamodb.describe_table().table_name(address);
                    request.send().await.map(drop).map_err(Error::from)
                }
                Kind::Topic => {
                    let request = self.sns.get_topic_attributes().topic_arn(address);
                    request.send().await.map(drop).map_err(Error::from)
                }
                Kind::Queue => {
                    let request = self.sqs.get_queue_attributes().queue_url(address);
                    let request = request.attribute_names(QueueAttributeName::QueueArn);
                    request.send().await.map(drop).map_err(Error::from)
                }
            }
        };
        tokio::time::timeout(CHECK_TIMEOUT, call).await?
    }
}
