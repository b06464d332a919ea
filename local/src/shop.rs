//! The shop as a value: started, asked for its address, stopped.

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use runtime::{Environment, Function};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::Instant};

use crate::{
    cloud::{Cloud, CloudError, Stop, listen},
    functions::{self, Functions, FunctionsError},
    gateway::Gateway,
    metrics::ShopMetrics,
    page,
    template::{self, Template, TemplateError, names},
    triggers::{self, Triggers},
};

/// How long invocations may go on when the shop is told to stop.
const FINISH_TIMEOUT: Duration = Duration::from_secs(10);
/// Between looks whether they have finished.
const FINISH_LOOK: Duration = Duration::from_millis(10);
/// The variable that tells functions where Lambda's own API is.
const LAMBDA: &str = "AWS_ENDPOINT_URL_LAMBDA";
/// The last part of the internal key's name in the template.
const INTERNAL_KEY: &str = "internal-key";

/// Where the template comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// The text itself.
    Text(String),
}

/// How a shop is to be started.
#[derive(Debug)]
pub struct Options {
    /// The template.
    pub template: Source,
    /// The code of the functions.
    pub functions: Vec<Function>,
    /// The gateway's port; 0 for any that is free.
    pub port: u16,
    /// Where data is kept; nowhere when absent.
    pub data: Option<PathBuf>,
    /// Parameters of the template, and values of secrets.
    pub environment: Environment,
    /// Whether queues, streams and schedules invoke anything. Without, what
    /// follows from a request does not happen, and takes no time.
    pub triggers: bool,
}

impl Options {
    /// A shop on any free port that keeps nothing.
    pub fn new(template: Source, functions: Vec<Function>) -> Self {
        Self {
            template,
            functions,
            port: 0,
            data: None,
            environment: Environment::default(),
            triggers: true,
        }
    }
}

/// Why a shop cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The template says what cannot be honoured.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// An embedded service cannot be started.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// A function cannot be started.
    #[error(transparent)]
    Functions(#[from] FunctionsError),
    /// Metrics cannot be kept.
    #[error("metrics cannot be kept")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// The gateway's port cannot be had.
    #[error("port {port} cannot be had")]
    Port {
        /// Which port.
        port: u16,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

/// What the gateway and the page work with.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) data: Option<PathBuf>,
    pub(crate) template: Template,
    pub(crate) functions: Arc<Functions>,
    pub(crate) cloud: Cloud,
    pub(crate) metrics: Arc<ShopMetrics>,
    gateway: Gateway,
    lambda: String,
}

impl Running {
    /// The environment of the function with this name: with it, its binary
    /// works on this shop's tables from another process.
    pub(crate) fn environment_of(&self, function: &str) -> Option<Environment> {
        let mut specs = self.template.functions.iter();
        let spec = specs.find(|spec| spec.code_name == function)?;
        Some(variables(spec, &self.cloud, &self.url, &self.lambda))
    }
}

/// A running shop.
pub struct Shop {
    running: Arc<Running>,
    stop_work: watch::Sender<bool>,
    stop_calls: watch::Sender<bool>,
    triggers: Triggers,
    calls: JoinHandle<()>,
}

impl Shop {
    /// Starts a shop. It is ready when this returns: every function has been
    /// started, and the port answers.
    ///
    /// # Errors
    /// When the template, the code, the data or a port is not as it must be.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let no_port = |port| move |source| StartError::Port { port, source };
        let (listener, address) = listen(options.port).await.map_err(no_port(options.port))?;
        let url = format!("http://{address}");
        let environment = with_public_url(options.environment, &url);
        let template = match &options.template {
            Source::File(path) => Template::load(path, &environment)?,
            Source::Text(text) => Template::parse(text, &environment)?,
        };
        let cloud = Cloud::start(&template, options.data.clone(), &environment).await?;

        let (on_lambda, lambda) = listen(0).await.map_err(no_port(0))?;
        let lambda = format!("http://{lambda}");
        let variables = |spec: &template::Function| variables(spec, &cloud, &url, &lambda);
        let metrics = ShopMetrics::new()?;
        let functions = Functions::start(&template, options.functions, &metrics, variables).await?;
        let functions = Arc::new(functions);

        let (stop_work, stop) = Stop::channel();
        let (stop_calls, calls_stop) = Stop::channel();
        let calls = functions::serve(on_lambda, functions.clone(), calls_stop);
        let data = options.data.as_deref();
        let mut triggers = match options.triggers {
            true => triggers::start(&template, &functions, &cloud, data, &stop),
            false => Triggers::none(data),
        };
        triggers.tasks.push(metrics.tidy(stop.clone()));
        let gateway = Gateway::new(&template, &functions);
        let running = Arc::new(Running {
            url,
            data: options.data,
            template,
            functions,
            cloud,
            metrics,
            gateway,
            lambda,
        });
        triggers.tasks.push(serve(listener, running.clone(), stop));
        Ok(Self {
            running,
            stop_work,
            stop_calls,
            triggers,
            calls,
        })
    }

    /// Where the shop answers: `http://127.0.0.1:3000`.
    pub fn url(&self) -> &str {
        &self.running.url
    }

    /// The template that it runs.
    pub fn template(&self) -> &Template {
        &self.running.template
    }

    /// The key of the internal endpoints, if the template has one.
    pub fn internal_key(&self) -> Option<&str> {
        self.running.cloud.secrets.value(INTERNAL_KEY)
    }

    /// The address of an embedded service by the variable that names it to a
    /// function, such as `AWS_ENDPOINT_URL_DYNAMODB`.
    pub fn endpoint(&self, variable: &str) -> Option<&str> {
        match variable {
            LAMBDA => Some(&self.running.lambda),
            _ => self
                .running
                .cloud
                .endpoints
                .get(variable)
                .map(String::as_str),
        }
    }

    /// What the function whose code bears this name finds in its environment,
    /// so that it can be run as a process beside the shop.
    pub fn variables(&self, code_name: &str) -> Option<Environment> {
        self.running.environment_of(code_name)
    }

    /// Stops the shop: takes nothing new, lets what runs finish within ten
    /// seconds, and closes the database's file.
    pub async fn stop(mut self) {
        // Nobody listens when all of it has ended already.
        let _ = self.stop_work.send(true);
        let until = Instant::now() + FINISH_TIMEOUT;
        for mut task in std::mem::take(&mut self.triggers.tasks) {
            if tokio::time::timeout_at(until, &mut task).await.is_err() {
                task.abort();
            }
        }
        self.triggers.finish();
        while self.running.functions.busy() > 0 && Instant::now() < until {
            tokio::time::sleep(FINISH_LOOK).await;
        }
        let _ = self.stop_calls.send(true);
        let mut calls = self.calls;
        if tokio::time::timeout_at(until, &mut calls).await.is_err() {
            calls.abort();
        }
        self.running.cloud.stop().await;
    }
}

/// Links in mails lead to this shop, unless the environment says where else.
fn with_public_url(environment: Environment, url: &str) -> Environment {
    match environment
        .get("PUBLIC_URL")
        .or(environment.get("PublicUrl"))
    {
        Some(_) => environment,
        None => environment.with("PUBLIC_URL", url),
    }
}

fn serve(listener: TcpListener, running: Arc<Running>, stop: Stop) -> JoinHandle<()> {
    let router = Router::new().fallback(answer).with_state(running);
    let service = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, service)
            .with_graceful_shutdown(stop.wait())
            .await
        {
            tracing::error!(%error, "the gateway has failed");
        }
    })
}

async fn answer(State(running): State<Arc<Running>>, request: Request<Body>) -> Response {
    // The body stays out of it: it cannot be looked at from two threads.
    let (method, uri) = (request.method().clone(), request.uri().clone());
    match page::answer(&running, &method, &uri).await {
        Some(reply) => reply,
        None => running.gateway.answer(request).await,
    }
}

/// What a function finds in its environment: the template's variables, and
/// those that Lambda sets.
fn variables(spec: &template::Function, cloud: &Cloud, url: &str, lambda: &str) -> Environment {
    let own = spec
        .environment
        .iter()
        .map(|(name, value)| (name.clone(), cloud.bind(value, url)));
    let memory = spec.memory_mb.to_string();
    let log_group = format!("/aws/lambda/{}", spec.function_name);
    let lambdas = [
        ("AWS_REGION", names::REGION),
        ("AWS_DEFAULT_REGION", names::REGION),
        // Of no account: the embedded services look at none.
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_LAMBDA_FUNCTION_NAME", spec.function_name.as_str()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.as_str()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", log_group.as_str()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "local"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        (LAMBDA, lambda),
        ("_HANDLER", "bootstrap"),
        ("TZ", ":UTC"),
    ];
    let endpoints = cloud
        .endpoints
        .iter()
        .map(|(name, address)| (*name, address.as_str()));
    let set = lambdas
        .into_iter()
        .chain(endpoints)
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    own.chain(set).collect()
}
