//! Runs the functions: invocation, limits and statistics.

mod api;
mod stats;

use std::{
    any::Any,
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use lambda_runtime::{Config, Context};
use runtime::{Environment, Function, Handler, LambdaEvent};
use serde_json::{json, value::RawValue};
use tokio::{sync::Semaphore, time::Instant};

use crate::{clock, ids, metrics::ShopMetrics, template};

pub(crate) use api::serve;
pub(crate) use stats::{Snapshot, Stats};

/// Lambda's limit for the request and the reply of a synchronous invocation.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Lambda's delays before it retries a failed asynchronous invocation.
const ASYNC_RETRIES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];

/// Why an invocation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvokeError {
    /// `ReservedConcurrentExecutions` has been reached.
    #[error("rate exceeded")]
    Throttled,
    /// It exceeded the function's `Timeout`.
    #[error("task timed out after {0} seconds")]
    TimedOut(u64),
    /// The payload exceeds Lambda's limit.
    #[error("the payload of {0} bytes exceeds Lambda's limit")]
    TooLarge(usize),
    /// The function returned an error or panicked.
    #[error("{message}")]
    Failed {
        /// Lambda's `errorType`.
        kind: String,
        /// Its `errorMessage`.
        message: String,
    },
}

impl InvokeError {
    fn failed(kind: &str, message: impl Into<String>) -> Self {
        Self::Failed {
            kind: kind.to_owned(),
            message: message.into(),
        }
    }

    /// The error as Lambda reports it to the caller.
    pub(crate) fn report(&self) -> serde_json::Value {
        let kind = match self {
            Self::Throttled => "TooManyRequestsException",
            Self::TimedOut(_) => "Sandbox.Timedout",
            Self::TooLarge(_) => "RequestTooLargeException",
            Self::Failed { kind, .. } => kind,
        };
        json!({"errorType": kind, "errorMessage": self.to_string()})
    }
}

/// A function that has been started.
pub(crate) struct Running {
    pub(crate) spec: template::Function,
    pub(crate) stats: Stats,
    handler: Handler,
    config: Arc<Config>,
    permits: Option<Semaphore>,
    in_flight: Arc<AtomicUsize>,
    metrics: Arc<ShopMetrics>,
}

/// Counts an invocation as in flight until it is dropped.
struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    fn enter(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Running {
    /// Invokes the function and waits for its reply. As in Lambda, the
    /// invocation continues if the caller goes away.
    pub(crate) async fn invoke(
        self: &Arc<Self>,
        payload: Box<RawValue>,
    ) -> Result<Box<RawValue>, InvokeError> {
        let function = self.clone();
        let invocation = tokio::spawn(async move { function.invoke_once(payload).await });
        invocation
            .await
            .unwrap_or_else(|_| Err(InvokeError::failed("Stopped", "the invocation was stopped")))
    }

    async fn invoke_once(&self, payload: Box<RawValue>) -> Result<Box<RawValue>, InvokeError> {
        let size = payload.get().len();
        if size > PAYLOAD_BYTES_MAX {
            return Err(InvokeError::TooLarge(size));
        }
        let _permit = match &self.permits {
            None => None,
            Some(permits) => Some(permits.try_acquire().map_err(|_| InvokeError::Throttled)?),
        };
        let _in_flight = InFlight::enter(&self.in_flight);
        let started = Instant::now();
        let outcome = self.run(payload).await;
        let (duration, error) = (started.elapsed(), outcome.as_ref().err());
        let function = &self.spec.code_name;
        self.metrics.invoked(function, duration, error.is_some());
        self.stats.record(duration, error.map(ToString::to_string));
        if let Err(error) = &outcome {
            tracing::warn!(function = self.spec.code_name, %error, "invocation failed");
        }
        outcome
    }

    async fn run(&self, payload: Box<RawValue>) -> Result<Box<RawValue>, InvokeError> {
        let timeout = self.spec.timeout;
        let mut context = Context::default();
        context.request_id = ids::request_id();
        context.invoked_function_arn = self.spec.arn();
        context.deadline =
            clock::now_ms().saturating_add(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        context.env_config = self.config.clone();
        // A panic must not take the shop down.
        let handled =
            AssertUnwindSafe(async { (self.handler)(LambdaEvent::new(payload, context)).await });
        let handled = self.metrics.clone().scope(handled.catch_unwind());
        let reply = match tokio::time::timeout(timeout, handled).await {
            Err(_) => return Err(InvokeError::TimedOut(timeout.as_secs())),
            Ok(Err(panic)) => {
                return Err(InvokeError::failed("Panic", panic_message(panic.as_ref())));
            }
            Ok(Ok(reply)) => reply,
        };
        let reply = reply.map_err(|error| InvokeError::failed("Error", error.to_string()))?;
        match reply.get().len() {
            size if size > PAYLOAD_BYTES_MAX => {
                let message = format!("the reply of {size} bytes exceeds Lambda's limit");
                Err(InvokeError::failed(
                    "Function.ResponseSizeTooLarge",
                    message,
                ))
            }
            _ => Ok(reply),
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked".to_owned())
}

/// All functions, by logical id.
pub(crate) struct Functions {
    running: BTreeMap<String, Arc<Running>>,
    in_flight: Arc<AtomicUsize>,
}

/// Why the functions cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum FunctionsError {
    /// The template and the code have different functions.
    #[error("template and code differ:\n  {0}")]
    Mismatch(String),
    /// A function does not start.
    #[error("{function} cannot start")]
    Start {
        /// The function's name.
        function: &'static str,
        /// Its error.
        #[source]
        source: runtime::Error,
    },
}

impl Functions {
    /// Starts all functions of the template concurrently.
    pub(crate) async fn start(
        template: &template::Template,
        code: Vec<Function>,
        metrics: &Arc<ShopMetrics>,
        environment: impl Fn(&template::Function) -> Environment,
    ) -> Result<Self, FunctionsError> {
        compare(template, &code)?;
        let specs = &template.functions;
        let in_flight = Arc::new(AtomicUsize::new(0));
        let mut starting = tokio::task::JoinSet::new();
        for function in code {
            let Some(spec) = specs
                .iter()
                .find(|spec| spec.code_name == function.name)
                .cloned()
            else {
                continue;
            };
            let environment = environment(&spec);
            let (in_flight, metrics) = (in_flight.clone(), metrics.clone());
            starting.spawn(async move {
                let name = function.name;
                let handler =
                    function
                        .start(environment)
                        .await
                        .map_err(|source| FunctionsError::Start {
                            function: name,
                            source,
                        })?;
                let config = Arc::new(Config {
                    function_name: spec.function_name.clone(),
                    memory: i32::try_from(spec.memory_mb).unwrap_or(i32::MAX),
                    version: "$LATEST".to_owned(),
                    log_stream: "local".to_owned(),
                    log_group: format!("/aws/lambda/{}", spec.function_name),
                });
                let permits = spec.reserved_concurrency.map(Semaphore::new);
                Ok(Running {
                    spec,
                    stats: Stats::default(),
                    handler,
                    config,
                    permits,
                    in_flight,
                    metrics,
                })
            });
        }
        let mut running = BTreeMap::new();
        while let Some(started) = starting.join_next().await {
            let function = match started {
                Ok(started) => started?,
                Err(stopped) => {
                    let source = stopped.into();
                    return Err(FunctionsError::Start {
                        function: "a function",
                        source,
                    });
                }
            };
            running.insert(function.spec.logical_id.clone(), Arc::new(function));
        }
        Ok(Self { running, in_flight })
    }

    pub(crate) fn by_logical_id(&self, logical_id: &str) -> Option<&Arc<Running>> {
        self.running.get(logical_id)
    }

    /// Finds a function by its name or ARN, as Lambda's API accepts both.
    pub(crate) fn by_name(&self, name: &str) -> Option<&Arc<Running>> {
        self.running
            .values()
            .find(|function| function.spec.is_called(name))
    }

    /// All functions, in the order of their logical ids.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Running>> {
        self.running.values()
    }

    /// The number of invocations in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }
}

/// Invokes a function asynchronously, with Lambda's retries.
pub(crate) fn invoke_async(function: Arc<Running>, payload: Box<RawValue>) {
    tokio::spawn(async move {
        for wait in ASYNC_RETRIES {
            if function.invoke(payload.clone()).await.is_ok() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
        if function.invoke(payload).await.is_err() {
            tracing::error!(
                function = function.spec.code_name,
                "asynchronous invocation failed after all retries"
            );
        }
    });
}

/// Reports functions that only the template or only the code has.
fn compare(template: &template::Template, code: &[Function]) -> Result<(), FunctionsError> {
    let specs = &template.functions;
    let mut differences = Vec::new();
    for spec in specs {
        if !code.iter().any(|function| function.name == spec.code_name) {
            differences.push(format!(
                "template.yaml:{}: {} refers to {}, which no service defines",
                spec.line, spec.logical_id, spec.code_name
            ));
        }
    }
    for (index, function) in code.iter().enumerate() {
        let switched_off = template
            .switched_off
            .iter()
            .any(|name| name == function.name);
        if !switched_off && !specs.iter().any(|spec| spec.code_name == function.name) {
            differences.push(format!(
                "{} is not in any CodeUri of the template",
                function.name
            ));
        }
        if code[..index]
            .iter()
            .any(|other| other.name == function.name)
        {
            differences.push(format!("{} is defined twice", function.name));
        }
    }
    match differences.is_empty() {
        true => Ok(()),
        false => Err(FunctionsError::Mismatch(differences.join("\n  "))),
    }
}
