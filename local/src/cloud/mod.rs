//! The AWS services that the shop needs, embedded: DynamoDB, SQS, SNS, SES and
//! Secrets Manager. Functions reach them over loopback HTTP with the real SDK;
//! the triggers of this crate reach them in process.

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
pub(crate) use serve::{Stop, listen, serve};
pub(crate) use topics::{Published, Topics};

/// How long one embedded service may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// Why the embedded services cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// A file or a port.
    #[error("{what}")]
    Io {
        /// What was attempted.
        what: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The database does.
    #[error("the database cannot be opened or set up: {0}")]
    Database(String),
    /// The data was written for another template.
    #[error("table {table}: {what} has changed since the data in {} was written; remove it or use EPHEMERAL=1", directory.display())]
    DataIsForAnotherTemplate {
        /// Which table.
        table: String,
        /// What of it.
        what: &'static str,
        /// Where the data is.
        directory: PathBuf,
    },
    /// One of the emulated services refuses a resource.
    #[error("{resource} cannot be made: {reason}")]
    Refused {
        /// The resource's logical id.
        resource: String,
        /// What the service says.
        reason: String,
    },
}

impl CloudError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    pub(crate) fn refused(resource: &str, reason: impl ToString) -> Self {
        Self::Refused {
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
    /// `AWS_ENDPOINT_URL_<SERVICE>` to address.
    pub(crate) endpoints: BTreeMap<&'static str, String>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Cloud {
    /// Starts the services and makes what the template says. Data is kept in
    /// `data`, or nowhere without one.
    pub(crate) async fn start(
        template: &Template,
        data: Option<PathBuf>,
        environment: &Environment,
    ) -> Result<Self, CloudError> {
        let (stop_now, stop) = Stop::channel();
        let mut endpoints = BTreeMap::new();
        let mut tasks = Vec::new();
        let mut listener = async |service: &'static str| {
            let (listener, address) = listen(0)
                .await
                .map_err(CloudError::io("no port for an embedded service"))?;
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
            stop: stop_now,
            tasks: Mutex::new(tasks),
        })
    }

    /// A text of the template with what only exists now put in: the ARNs of
    /// secrets, and the address of the API.
    pub(crate) fn bind(&self, text: &str, url: &str) -> String {
        let mut bound = text.replace(&names::api_endpoint(), url);
        for (name, arn) in self.secrets.arns() {
            bound = bound.replace(&names::secret_arn(name), arn);
        }
        bound
    }

    /// Stops the services; the database's file is complete afterwards.
    pub(crate) async fn stop(&self) {
        let _ = self.stop.send(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // Each bounds its own end; one that panicked has said so.
            let _ = tokio::time::timeout(STOP_TIMEOUT, task).await;
        }
        self.queues.stop().await;
        self.database.close();
    }
}

#[cfg(test)]
mod tests;
