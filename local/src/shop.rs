//! Starting and stopping a shop.

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
    cloud::{Cloud, CloudError, StopSignal, listen},
    dashboard,
    functions::{self, Functions, FunctionsError},
    gateway::Gateway,
    metrics::ShopMetrics,
    services::{self, LAMBDA_ENDPOINT, Services},
    template::{self, Template, TemplateError},
    triggers::{self, Triggers},
};

/// How long running invocations may take to finish when the shop is stopped.
const FINISH_TIMEOUT: Duration = Duration::from_secs(10);
/// How often to check whether they have finished.
const FINISH_POLL: Duration = Duration::from_millis(10);
/// The last segment of the internal key's name in the template.
const INTERNAL_KEY: &str = "internal-key";

/// Where the template comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// The text itself.
    Text(String),
}

/// How a shop is started.
#[derive(Debug)]
pub struct Options {
    /// The template.
    pub template: Source,
    /// The code of the functions.
    pub functions: Vec<Function>,
    /// The gateway's port; 0 picks a free one.
    pub port: u16,
    /// The data directory; without one, nothing is kept.
    pub data: Option<PathBuf>,
    /// Parameters of the template, and values of secrets.
    pub environment: Environment,
    /// Whether queues, streams and schedules invoke functions. If not, a request
    /// has no asynchronous consequences, and none take time.
    pub triggers: bool,
}

impl Options {
    /// A shop on a free port that keeps nothing.
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
    /// The template has something that cannot be honoured.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// An embedded service cannot be started.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// A function cannot be started.
    #[error(transparent)]
    Functions(#[from] FunctionsError),
    /// The metrics recorder cannot be created.
    #[error("cannot create the metrics recorder")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// A port cannot be bound.
    #[error("cannot listen on port {port}")]
    Port {
        /// The port.
        port: u16,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
}

/// A running shop.
pub struct Shop {
    services: Arc<Services>,
    stop_work: watch::Sender<bool>,
    stop_calls: watch::Sender<bool>,
    triggers: Triggers,
    invoke_api: JoinHandle<()>,
}

/// What requests are dispatched to.
#[derive(Clone)]
struct Site {
    services: Arc<Services>,
    gateway: Arc<Gateway>,
}

impl Shop {
    /// Starts a shop. When this returns, every function has been started and the
    /// port accepts requests.
    ///
    /// # Errors
    /// When the template, the functions or the data directory are unusable, or
    /// the port is taken.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let no_port = |port| move |source| StartError::Port { port, source };
        let (listener, address) = listen(options.port).await.map_err(no_port(options.port))?;
        let url = format!("http://{address}");
        let environment = with_public_url(options.environment, &url);
        let host = environment.host().clone();
        let template = match &options.template {
            Source::File(path) => Template::load(path, &environment)?,
            Source::Text(text) => Template::parse(text, &environment)?,
        };
        let cloud = Cloud::start(&template, options.data.clone(), &environment).await?;

        let (lambda_listener, lambda_address) = listen(0).await.map_err(no_port(0))?;
        let lambda_url = format!("http://{lambda_address}");
        let environment = |spec: &template::Function| {
            services::environment(spec, &cloud, &url, &lambda_url).on(host.clone())
        };
        let metrics = ShopMetrics::new()?;
        let functions =
            Functions::start(&template, options.functions, &metrics, environment).await?;
        let functions = Arc::new(functions);

        let (stop_work, stop) = StopSignal::channel();
        let (stop_calls, calls_stop) = StopSignal::channel();
        let invoke_api = functions::serve(lambda_listener, functions.clone(), calls_stop);
        let data = options.data.as_deref();
        let mut triggers = match options.triggers {
            true => triggers::start(&template, &functions, &cloud, data, &stop),
            false => Triggers::none(data),
        };
        triggers.tasks.push(metrics.run_upkeep(stop.clone()));
        let gateway = Arc::new(Gateway::new(&template, &functions));
        let services = Arc::new(Services {
            url,
            data: options.data,
            template,
            functions,
            cloud,
            metrics,
            lambda_url,
            host,
        });
        let site = Site {
            services: services.clone(),
            gateway,
        };
        triggers.tasks.push(serve(listener, site, stop));
        Ok(Self {
            services,
            stop_work,
            stop_calls,
            triggers,
            invoke_api,
        })
    }

    /// The shop's address, such as `http://127.0.0.1:3000`.
    pub fn url(&self) -> &str {
        &self.services.url
    }

    /// The template that it runs.
    pub fn template(&self) -> &Template {
        &self.services.template
    }

    /// The key of the internal endpoints, if the template has one.
    pub fn internal_key(&self) -> Option<&str> {
        self.services.cloud.secrets.value(INTERNAL_KEY)
    }

    /// The address of an embedded service by the variable that gives it to
    /// functions, such as `AWS_ENDPOINT_URL_DYNAMODB`.
    pub fn endpoint(&self, variable: &str) -> Option<&str> {
        let services = &self.services;
        match variable {
            LAMBDA_ENDPOINT => Some(&services.lambda_url),
            _ => services.cloud.endpoints.get(variable).map(String::as_str),
        }
    }

    /// The environment of the function with this name, for running its binary
    /// beside the shop.
    pub fn variables(&self, code_name: &str) -> Option<Environment> {
        self.services.environment_of(code_name)
    }

    /// Stops the shop: accepts no new work, lets running invocations finish
    /// within ten seconds, and closes the database.
    pub async fn stop(mut self) {
        // Fails if all receivers have ended already.
        let _ = self.stop_work.send(true);
        let deadline = Instant::now() + FINISH_TIMEOUT;
        for mut task in std::mem::take(&mut self.triggers.tasks) {
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                task.abort();
            }
        }
        self.triggers.finish();
        while self.services.functions.in_flight() > 0 && Instant::now() < deadline {
            tokio::time::sleep(FINISH_POLL).await;
        }
        let _ = self.stop_calls.send(true);
        let mut invoke_api = self.invoke_api;
        if tokio::time::timeout_at(deadline, &mut invoke_api)
            .await
            .is_err()
        {
            invoke_api.abort();
        }
        self.services.cloud.stop().await;
    }
}

/// Makes links in emails lead to this shop, unless the environment sets their base.
fn with_public_url(environment: Environment, url: &str) -> Environment {
    match environment
        .get("PUBLIC_URL")
        .or(environment.get("PublicUrl"))
    {
        Some(_) => environment,
        None => environment.with("PUBLIC_URL", url),
    }
}

fn serve(listener: TcpListener, site: Site, stop: StopSignal) -> JoinHandle<()> {
    let router = Router::new().fallback(answer).with_state(site);
    let service = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, service)
            .with_graceful_shutdown(stop.wait())
            .await
        {
            tracing::error!(%error, "the gateway failed");
        }
    })
}

async fn answer(State(site): State<Site>, request: Request<Body>) -> Response {
    // A request body is not `Sync`, so the dashboard does not borrow the request.
    let (method, uri) = (request.method().clone(), request.uri().clone());
    match dashboard::answer(&site.services, &method, &uri).await {
        Some(reply) => reply,
        None => site.gateway.answer(request).await,
    }
}
