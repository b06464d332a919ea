//! The tables and queues of a shop.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_lambda::Client as Lambda;
use aws_sdk_sqs::Client as Sqs;
use aws_smithy_types::timeout::TimeoutConfig;
use catalog::store::CatalogStore;
use dynamo::Table;
use orders::store::OrderStore;
use payments::store::PaymentStore;
use runtime::{Environment, Error, Host, aws::Aws};

use crate::place::FUNCTION_NAME;

/// A person's machine may be far from the shop's region: functions wait a tenth of
/// this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(40);

/// What `HEALTH_QUEUES` adds to the name of a queue for its dead-letter queue.
const DEAD_LETTER: &str = " dead-letter";

/// A shop, opened.
pub struct Shop {
    pub orders: OrderStore,
    pub payments: PaymentStore,
    pub catalog: CatalogStore,
    pub host: Host,
    /// By service.
    pub tables: BTreeMap<String, Table>,
    /// Consumers' queues, by the consumer's name.
    pub queues: BTreeMap<String, Queue>,
    pub(crate) sqs: Sqs,
    pub(crate) lambda: Lambda,
    /// The name of the stack.
    pub(crate) stack: String,
}

/// The queue of a consumer.
#[derive(Clone, Debug)]
pub struct Queue {
    pub url: String,
    pub dead_letter_url: String,
}

impl Shop {
    /// Opens the tables and queues that an environment names.
    ///
    /// # Errors
    /// When the environment lacks one.
    pub fn open(environment: &Environment) -> Result<Self, Error> {
        let aws = Aws::from_environment(environment)?;
        let client = aws.dynamodb();
        let config = client.config().to_builder().timeout_config(timeouts());
        let client = DynamoDb::from_conf(config.build());
        let tables: BTreeMap<String, Table> = pairs(environment.require("HEALTH_TABLES")?)
            .map(|(service, name)| {
                let random = environment.host().random().clone();
                (service.to_owned(), Table::new(client.clone(), name, random))
            })
            .collect();
        let table = |service: &str| {
            let found = tables.get(service).cloned();
            found.ok_or_else(|| format!("HEALTH_TABLES lacks the table of {service}"))
        };
        let addresses: BTreeMap<&str, &str> =
            pairs(environment.require("HEALTH_QUEUES")?).collect();
        let queues = addresses.iter().filter_map(|(name, url)| {
            let dead_letter_url = addresses.get(format!("{name}{DEAD_LETTER}").as_str())?;
            let queue = Queue {
                url: (*url).to_owned(),
                dead_letter_url: (*dead_letter_url).to_owned(),
            };
            Some(((*name).to_owned(), queue))
        });
        let sqs = aws.sqs();
        let config = sqs.config().to_builder().timeout_config(timeouts());
        let stack = environment.require(FUNCTION_NAME)?;
        Ok(Self {
            orders: OrderStore::new(table("orders")?),
            payments: PaymentStore::new(table("payments")?),
            catalog: CatalogStore::new(table("catalog")?),
            host: environment.host().clone(),
            queues: queues.collect(),
            tables: tables.clone(),
            sqs: Sqs::from_conf(config.build()),
            lambda: patient_lambda(&aws),
            stack: stack.trim_end_matches("-health").to_owned(),
        })
    }

    /// The table of a service.
    ///
    /// # Errors
    /// When there is none.
    pub fn table(&self, service: &str) -> Result<&Table, Error> {
        let found = self.tables.get(service);
        found.ok_or_else(|| format!("there is no table of {service}").into())
    }

    /// The queue of a consumer.
    ///
    /// # Errors
    /// When there is none; the error names those that there are.
    pub fn queue(&self, consumer: &str) -> Result<&Queue, Error> {
        self.queues.get(consumer).ok_or_else(|| {
            let names: Vec<_> = self.queues.keys().map(String::as_str).collect();
            format!(
                "there is no queue {consumer}; there are {}",
                names.join(", ")
            )
            .into()
        })
    }
}

pub(crate) fn patient_lambda(aws: &Aws) -> Lambda {
    let config = aws.lambda().config().to_builder();
    Lambda::from_conf(config.timeout_config(timeouts()).build())
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

/// `a=1,b=2`, with spaces and line breaks around.
fn pairs(list: &str) -> impl Iterator<Item = (&str, &str)> {
    list.split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.trim(), value.trim()))
}
