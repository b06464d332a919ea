//! A table in an embedded DynamoDB, served over loopback HTTP.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType,
        Projection, ProjectionType, ScalarAttributeType,
    },
};
use contracts::{Envelope, EventData};
use dynamo::{IndexKey, Item, OutboxItem, Table, TableSchema, UNSENT_INDEX};
use dynoxide::Database;
use kernel::{Actor, Cause};
use runtime::{Environment, Function, Handler, Host, Random, aws::Aws};
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;

use crate::{
    CallsInFlight, Clock, Conflicts, Interleaved, LostReplies, RecordedCalls, Service,
    dynamo_proxy::{self, DynamoCall, Fate},
    secrets::TestSecrets,
    seeded_random,
};

const TABLE: &str = "test";
/// The variable with the address of the table, for functions.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// An empty table for one test, with the environment in which functions find
/// it. Its clock stands still until the test moves it.
pub struct TestTable {
    variables: BTreeMap<String, String>,
    /// Where functions find the table.
    address: SocketAddr,
    secrets: TestSecrets,
    client: Client,
    clock: Clock,
    host: Host,
}

impl TestTable {
    /// A new, empty table with a service's indexes. Its clock shows
    /// 2026-01-01T00:00:00Z.
    pub async fn create(schema: &TableSchema) -> Self {
        Self::create_at(schema, "2026-01-01T00:00:00Z").await
    }

    /// The same with a clock that shows another time (RFC 3339).
    pub async fn create_at(schema: &TableSchema, time: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let database = Database::memory().expect("an embedded DynamoDB");
        tokio::spawn(dynoxide::server::serve_on(listener, database));
        let secrets = TestSecrets::start().await;
        let variables = [
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            (ENDPOINT, format!("http://{address}")),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets.url().to_owned()),
            ("TABLE", TABLE.to_owned()),
            ("CURSOR_KEY", "the key of the test's cursors".to_owned()),
        ];
        let variables: BTreeMap<String, String> = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let client = Aws::from_environment(&variables.clone().into_iter().collect())
            .expect("an environment")
            .dynamodb();
        create_table(&client, schema).await;
        let clock = Clock::at(time.parse().expect("a time"));
        Self {
            host: Host::new(clock.source(), Random::system()),
            variables,
            address,
            secrets,
            client,
            clock,
        }
    }

    /// The same for functions whose writes' replies get lost as `losses` says.
    pub async fn losing(mut self, losses: &LostReplies) -> Self {
        let losses = losses.clone();
        self.put_before(move |call| match losses.loses(call) {
            true => Fate::ReplyLost,
            false => Fate::Answered,
        })
        .await;
        self
    }

    /// The same for functions whose transactions conflict as `conflicts` says.
    pub async fn conflicting(mut self, conflicts: &Conflicts) -> Self {
        let conflicts = conflicts.clone();
        self.put_before(move |call| conflicts.of(call)).await;
        self
    }

    /// The same for functions whose transactions others overtake as `others` says.
    pub async fn interleaved(mut self, others: &Interleaved) -> Self {
        let others = others.clone();
        self.put_before(move |call| others.of(call)).await;
        self
    }

    /// Records the calls of functions that start from now on. Each reads once
    /// when it starts.
    pub async fn record_calls(&mut self) -> RecordedCalls {
        let calls = RecordedCalls::default();
        let record = calls.clone();
        self.put_before(move |call| {
            record.record(call);
            Fate::Answered
        })
        .await;
        calls
    }

    /// Makes the calls of functions that start from now on take this long, and
    /// counts how many are under way.
    pub async fn slow_down(&mut self, latency: Duration) -> CallsInFlight {
        let calls = CallsInFlight::default();
        self.address = dynamo_proxy::start_slow(self.address, latency, calls.clone()).await;
        self.set(ENDPOINT, &format!("http://{}", self.address));
        calls
    }

    /// Puts a proxy before the table for functions that start from now on.
    async fn put_before(&mut self, decides: impl Fn(&DynamoCall) -> Fate + Send + Sync + 'static) {
        self.address = dynamo_proxy::start(self.address, decides).await;
        self.set(ENDPOINT, &format!("http://{}", self.address));
    }

    /// The same with random bytes, and so ids, that follow from a seed.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.host = Host::new(self.clock.source(), seeded_random(seed));
        self
    }

    /// Sets one more variable for functions that start from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Sets a variable to the name of a secret with these versions, or changes
    /// the secret: functions read it when they start.
    pub fn set_secret(&mut self, variable: &str, current: &str, previous: Option<&str>) {
        self.set(variable, variable);
        self.secrets.set(variable, current, previous);
    }

    /// Removes the secret that a variable names: reading it fails from now on.
    pub fn remove_secret(&self, variable: &str) {
        self.secrets.remove(variable);
    }

    /// The clock of the functions.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The host of the functions: its clock is the test's.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The environment of a function that uses the table.
    pub fn environment(&self) -> Environment {
        let variables: Environment = self.variables.clone().into_iter().collect();
        variables.on(self.host.clone())
    }

    /// The table, as stores use it.
    pub fn table(&self) -> Table {
        Table::new(self.client.clone(), TABLE, self.host.random().clone())
    }

    /// Starts a function on the table.
    pub async fn start(&self, function: &Function) -> Handler {
        function
            .start(self.environment())
            .await
            .expect("the function starts")
    }

    /// The functions of a service on the table: each starts when it is first used.
    pub fn service(&self, functions: Vec<Function>) -> Service {
        Service::new(functions, self.environment())
    }

    /// An event that happens now, by the test's clock.
    pub fn event<T: EventData>(&self, data: &T) -> Envelope {
        let cause = Cause::new("test-correlation", "test-cause", Actor::Function("test"));
        Envelope::new(data, self.host.stamp(self.host.now(), &cause))
    }

    /// Every item, read with a Scan, which only a test may do.
    pub async fn items(&self) -> Vec<Item> {
        let (mut items, mut start) = (Vec::new(), None);
        loop {
            let output = self
                .client
                .scan()
                .table_name(TABLE)
                .set_exclusive_start_key(start)
                .send()
                .await
                .expect("a scan");
            items.extend(output.items.unwrap_or_default());
            start = output.last_evaluated_key;
            if start.is_none() {
                return items;
            }
        }
    }

    /// The items whose partition key begins with `prefix` and whose sort key is `sk`.
    pub async fn items_of<T: DeserializeOwned>(&self, prefix: &str, sk: &str) -> Vec<T> {
        let text = |item: &Item, name: &str| item[name].as_s().expect("a string key").clone();
        self.items()
            .await
            .into_iter()
            .filter(|item| text(item, "pk").starts_with(prefix) && text(item, "sk") == sk)
            .map(|item| serde_dynamo::from_item(item).expect("the item reads"))
            .collect()
    }

    /// Every event in the outbox as it is published, oldest first.
    pub async fn events(&self) -> Vec<Envelope> {
        let items = self
            .items()
            .await
            .into_iter()
            .filter(|item| item.contains_key("event"));
        let mut events: Vec<Envelope> = items
            .map(|item| {
                let item: OutboxItem = serde_dynamo::from_item(item).expect("an outbox item");
                item.published().expect("an event")
            })
            .collect();
        events.sort_by_key(|event| event.id);
        events
    }

    /// The types of every event in the outbox, oldest first.
    pub async fn event_types(&self) -> Vec<String> {
        self.events()
            .await
            .into_iter()
            .map(|event| event.event_type)
            .collect()
    }
}

async fn create_table(client: &Client, schema: &TableSchema) {
    let mut attributes = vec![
        text("pk"),
        text("sk"),
        text("unsent"),
        number("unsent_since"),
    ];
    let mut indexes = vec![index(UNSENT_INDEX, "unsent", "unsent_since", false)];
    for one in schema.indexes {
        let sort = match one.sort {
            IndexKey::Text(name) => {
                attributes.push(text(name));
                name
            }
            IndexKey::Number(name) => {
                attributes.push(number(name));
                name
            }
        };
        attributes.push(text(one.partition));
        indexes.push(index(one.name, one.partition, sort, one.projects_all));
    }
    attributes.sort_by(|a, b| a.attribute_name().cmp(b.attribute_name()));
    attributes.dedup();
    client
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .set_attribute_definitions(Some(attributes))
        .set_global_secondary_indexes(Some(indexes))
        .send()
        .await
        .expect("the table is created");
}

fn text(name: &str) -> AttributeDefinition {
    attribute(name, ScalarAttributeType::S)
}

fn number(name: &str) -> AttributeDefinition {
    attribute(name, ScalarAttributeType::N)
}

fn attribute(name: &str, kind: ScalarAttributeType) -> AttributeDefinition {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(kind)
        .build()
        .unwrap()
}

fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(kind)
        .build()
        .unwrap()
}

fn index(name: &str, partition: &str, sort: &str, all: bool) -> GlobalSecondaryIndex {
    let projection = if all {
        ProjectionType::All
    } else {
        ProjectionType::KeysOnly
    };
    GlobalSecondaryIndex::builder()
        .index_name(name)
        .key_schema(key(partition, KeyType::Hash))
        .key_schema(key(sort, KeyType::Range))
        .projection(Projection::builder().projection_type(projection).build())
        .build()
        .unwrap()
}
