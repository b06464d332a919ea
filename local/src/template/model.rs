//! What the template says, in types.

use std::{collections::BTreeMap, time::Duration};

/// A Lambda function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name in the template.
    pub logical_id: String,
    /// The line that it starts on.
    pub line: usize,
    /// The last part of its `CodeUri`: the name that the code bears.
    pub code_name: String,
    /// What it is called once deployed.
    pub function_name: String,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// Its memory in MB; shown, not enforced.
    pub memory_mb: u32,
    /// The alias that its published versions go by, if they do.
    pub alias: Option<String>,
    /// How many invocations may run at once, if that is limited.
    pub reserved_concurrency: Option<usize>,
    /// Its variables.
    pub environment: BTreeMap<String, String>,
    /// What triggers it.
    pub events: Vec<Event>,
    /// The logical id of its role, if it names one.
    pub role: Option<String>,
    /// What its role allows, from the role and from its own `Policies`.
    pub statements: Vec<Statement>,
}

impl Function {
    /// Its ARN.
    pub fn arn(&self) -> String {
        super::names::function_arn(&self.function_name)
    }

    /// Whether Lambda's API would take `name` for it: its name, its ARN in
    /// whole or in part, and each of them with its alias or `$LATEST`.
    pub fn is_called(&self, name: &str) -> bool {
        let arn = self.arn();
        let partial = arn.split_once("function:").map(|(_, partial)| partial);
        let qualifiers = [self.alias.as_deref(), Some("$LATEST")];
        [Some(self.function_name.as_str()), Some(&arn), partial]
            .into_iter()
            .flatten()
            .filter_map(|known_as| name.strip_prefix(known_as))
            .any(|rest| rest.is_empty() || qualifiers.contains(&rest.strip_prefix(':')))
    }
}

/// One action that a role allows on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Statement {
    /// `dynamodb:GetItem`.
    pub action: String,
    /// The logical id, with `/index/<name>` for an index; what is no resource
    /// of this template stays as it is written (`*`).
    pub resource: String,
}

/// A role and what it allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name in the template.
    pub logical_id: String,
    /// The line that it starts on.
    pub line: usize,
    /// From its inline policies.
    pub statements: Vec<Statement>,
    /// ARNs of managed policies that it also has.
    pub managed_policies: Vec<String>,
}

/// What triggers a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request to a route.
    Http(Route),
    /// Messages of a queue.
    Queue(QueueEvent),
    /// Changes of a table.
    Stream(Box<StreamEvent>),
    /// The time.
    Schedule(ScheduleEvent),
}

/// A route of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The line of the event.
    pub line: usize,
    /// The method in capitals; `None` for any.
    pub method: Option<String>,
    /// The path with its `{parameters}`, or `$default`.
    pub path: String,
    /// The authorizer that is asked first.
    pub authorizer: Option<String>,
}

impl Route {
    /// The route's key, as in AWS: `GET /api/orders/{id}` or `$default`.
    pub fn key(&self) -> String {
        if self.path == "$default" {
            return self.path.clone();
        }
        format!("{} {}", self.method.as_deref().unwrap_or("ANY"), self.path)
    }
}

/// An SQS event source mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEvent {
    /// The line of the event.
    pub line: usize,
    /// The queue's logical id.
    pub queue: String,
    /// The most messages in one invocation.
    pub batch_size: usize,
    /// How long to gather a batch.
    pub window: Duration,
    /// Whether the reply's `batchItemFailures` are heeded.
    pub report_failures: bool,
    /// The most invocations at once, if that is limited.
    pub concurrency: Option<usize>,
    /// Whether messages are taken at all.
    pub enabled: bool,
}

/// A DynamoDB stream event source mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEvent {
    /// The line of the event.
    pub line: usize,
    /// The event's name in the template.
    pub name: String,
    /// The table's logical id.
    pub table: String,
    /// Whether a new mapping starts with the oldest record rather than the next.
    pub from_oldest: bool,
    /// The most records in one invocation.
    pub batch_size: usize,
    /// How long to gather a batch.
    pub window: Duration,
    /// Whether a failed batch is halved.
    pub bisect: bool,
    /// Retries before a batch is given up; without a limit when absent.
    pub retries_max: Option<u32>,
    /// The age after which a record is given up; without a limit when absent.
    pub age_max: Option<Duration>,
    /// Batches at once.
    pub parallel: usize,
    /// The logical id of the queue or topic that is told of what was given up.
    pub on_failure: Option<String>,
    /// Patterns of which a record must match one; all match when there are none.
    pub filters: Vec<super::Pattern>,
    /// Whether the reply's `batchItemFailures` are heeded.
    pub report_failures: bool,
    /// Whether records are read at all.
    pub enabled: bool,
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleEvent {
    /// The line of the event.
    pub line: usize,
    /// The event's name in the template.
    pub name: String,
    /// Between one run and the next.
    pub every: Duration,
    /// What the function gets, if the template says it.
    pub input: Option<String>,
    /// Whether it is EventBridge Scheduler's (`ScheduleV2`), which runs first
    /// at once, rather than a rule's, which runs first after one interval.
    pub scheduler: bool,
    /// Whether it runs at all.
    pub enabled: bool,
}

/// The HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Its name in the template.
    pub logical_id: String,
    /// The line that it starts on.
    pub line: usize,
    /// What other origins may do; nothing when absent.
    pub cors: Option<Cors>,
    /// The Lambda authorizers by name: the logical id of the function of each.
    pub authorizers: BTreeMap<String, String>,
    /// The authorizer of routes that name none.
    pub default_authorizer: Option<String>,
}

/// What an API lets other origins do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cors {
    /// Origins; `*` is any, `https://*` any with that scheme.
    pub allow_origins: Vec<String>,
    /// Methods; `*` is any.
    pub allow_methods: Vec<String>,
    /// Request headers; `*` is any.
    pub allow_headers: Vec<String>,
    /// Reply headers that scripts may read.
    pub expose_headers: Vec<String>,
    /// Whether credentials may be sent.
    pub allow_credentials: bool,
    /// How long a preflight may be remembered, in seconds.
    pub max_age_seconds: Option<u32>,
}

/// A DynamoDB table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Its name in the template.
    pub logical_id: String,
    /// The line that it starts on.
    pub line: usize,
    /// What it is called.
    pub name: String,
    /// The body of the `CreateTable` call, as DynamoDB takes it.
    pub definition: serde_json::Value,
    /// The attribute whose time ends an item, if any.
    pub ttl_attribute: Option<String>,
    /// Whether it has a stream.
    pub streams: bool,
}

/// An SQS queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name in the template.
    pub logical_id: String,
    /// The line that it starts on.
    pub line: usize,
    /// What it is called.
    pub name: String,
    /// Its attributes, as SQS takes them.
    pub attributes: BTreeMap<String, String>,
    /// How long a received message stays hidden.
    pub visibility: Duration,
    /// The logical id of its dead-letter queue.
    pub dead_letter_queue: Option<String>,
}

impl Queue {
    /// Its ARN.
    pub fn arn(&self) -> String {
        super::names::queue_arn(&self.name)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        super::names::queue_url(&self.name)
    }
}

/// An SNS topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name in the template.
    pub logical_id: String,
    /// The line that it starts on.
    pub line: usize,
    /// What it is called.
    pub name: String,
}

impl Topic {
    /// Its ARN.
    pub fn arn(&self) -> String {
        super::names::topic_arn(&self.name)
    }
}

/// A queue's subscription to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its name in the template.
    pub logical_id: String,
    /// The line that it starts on.
    pub line: usize,
    /// The topic's logical id.
    pub topic: String,
    /// The queue's logical id.
    pub queue: String,
    /// Its attributes, as SNS takes them.
    pub attributes: BTreeMap<String, String>,
    /// The logical id of the queue for what could not be delivered.
    pub dead_letter_queue: Option<String>,
}

/// A secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its name in the template.
    pub logical_id: String,
    /// The line that it starts on.
    pub line: usize,
    /// What it is called.
    pub name: String,
    /// Its value, or how it is made.
    pub value: SecretValue,
}

/// Where a secret's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretValue {
    /// The template says it.
    Given(String),
    /// It is generated once.
    Generated {
        /// What `GetRandomPassword` is asked for.
        password: serde_json::Value,
        /// The JSON object and the key in it that the password is put under.
        within: Option<(String, String)>,
    },
}
