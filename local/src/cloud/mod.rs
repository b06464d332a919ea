//! The embedded AWS services: DynamoDB, SQS, SNS, SES and Secrets Manager.
//! Functions call them over loopback HTTP with the real SDK, the triggers of
//! this crate directly.

mod database;
mod ephemeral;
mod mail;
mod queues;
mod secrets;
mod serve;
mod topics;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use runtime::Environment;
use tokio::{sync::watch, task::JoinHandle};

use crate::template::{Template, names};

pub(crate) use database::{Changes, Database, StreamRecord};
pub(crate) use mail::{Mail, Mailbox};
pub(crate) use queues::{QueueDepth, Queues, RECEIVE_MAX};
pub(crate) use secrets::Secrets;
pub(crate) use serve::{StopSignal, listen, serve};
pub(crate) use topics::{Published, Topics};

/// How long each embedded service may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// Why the embedded services cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// A file or a port is unusable.
    #[error("{what}")]
    Io {
        /// What failed.
        what: String,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// The database is unusable.
    #[error("the database cannot be opened or set up: {0}")]
    Database(String),
    /// The data was written with a different template.
    #[error("table {table}: {what} has changed since the data in {} was written; remove it or use EPHEMERAL=1", directory.display())]
    IncompatibleData {
        /// The table.
        table: String,
        /// What has changed.
        what: &'static str,
        /// The data directory.
        directory: PathBuf,
    },
    /// An embedded service rejects a resource of the template.
    #[error("{resource} cannot be created: {reason}")]
    Rejected {
        /// The resource's logical id.
        resource: String,
        /// The service's error.
        reason: String,
    },
}

impl CloudError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    pub(crate) fn rejected(resource: &str, reason: impl ToString) -> Self {
        Self::Rejected {
            resource: resource.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// The running services.
pub(crate) struct Cloud {
    pub(crate) database: Arc<Database>,
    pub(crate) queues: Arc<Queues>,
    pub(crate) topics: Arc<Topics>,
    pub(crate) mailbox: Mailbox,
    pub(crate) secrets: Secrets,
    /// Addresses by variable: `AWS_ENDPOINT_URL_<SERVICE>`.
    pub(crate) endpoints: BTreeMap<&'static str, String>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Cloud {
    /// Starts the services and creates the template's resources. Without a
    /// `data` directory nothing is kept.
    pub(crate) async fn start(
        template: &Template,
        data: Option<PathBuf>,
        environment: &Environment,
    ) -> Result<Self, CloudError> {
        let (stop_sender, stop) = StopSignal::channel();
        let mut endpoints = BTreeMap::new();
        let mut tasks = Vec::new();
        let mut listener = async |service: &'static str| {
            let (listener, address) = listen(0).await.map_err(CloudError::io(
                "cannot listen on a port for an embedded service",
            ))?;
            endpoints.insert(service, format!("http://{address}"));
            Ok::<_, CloudError>(listener)
        };

        let on_dynamodb = listener("AWS_ENDPOINT_URL_DYNAMODB").await?;
        let on_sqs = listener("AWS_ENDPOINT_URL_SQS").await?;
        let on_sns = listener("AWS_ENDPOINT_URL_SNS").await?;
        let on_ses = listener("AWS_ENDPOINT_URL_SES").await?;
        let on_secrets = listener("AWS_ENDPOINT_URL_SECRETS_MANAGER").await?;

        let tables = template.tables.clone();
        let directory = data.clone();
        let database = tokio::task::spawn_blocking(move || Database::open(&tables, directory))
            .await
            .map_err(|error| CloudError::Database(error.to_string()))??;
        let database = Arc::new(database);
        tasks.push(database.serve(on_dynamodb, stop.clone()));
        tasks.push(database.watch(stop.clone()));

        let queues = Arc::new(Queues::create(&template.queues).await?);
        tasks.push(queues.serve(on_sqs, stop.clone()));
        let topics = Arc::new(Topics::create(template, queues.clone())?);
        tasks.push(topics.serve(on_sns, stop.clone()));
        let mailbox = Mailbox::default();
        tasks.push(mailbox.serve(on_ses, stop.clone()));
        let secrets = Secrets::create(&template.secrets, data.as_deref(), environment)?;
        tasks.push(secrets.serve(on_secrets, stop));

        Ok(Self {
            database,
            queues,
            topics,
            mailbox,
            secrets,
            endpoints,
            stop: stop_sender,
            tasks: Mutex::new(tasks),
        })
    }

    /// Replaces what is known only at run time in a value of the template: the
    /// ARNs of secrets, and the address of the API.
    pub(crate) fn resolve(&self, text: &str, url: &str) -> String {
        let mut resolved = text.replace(&names::api_endpoint(), url);
        for (name, arn) in self.secrets.arns() {
            resolved = resolved.replace(&names::secret_arn(name), arn);
        }
        resolved
    }

    /// Stops the services. Afterwards the database file is complete.
    pub(crate) async fn stop(&self) {
        let _ = self.stop.send(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // Neither a slow task nor one that panicked may keep the others running.
            let _ = tokio::time::timeout(STOP_TIMEOUT, task).await;
        }
        self.queues.stop().await;
        self.database.close();
    }
}

#[cfg(test)]
mod tests;
