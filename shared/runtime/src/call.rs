//! Calls between services: the shell of a function that is called, and the
//! client that calls it, with timeout, bounded retry and a circuit breaker.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aws_sdk_lambda::{Client, primitives::Blob};
use contracts::calls::Call;
use failsafe::{
    Instrument, StateMachine, backoff,
    failure_policy::{ConsecutiveFailures, consecutive_failures},
};
use serde_json::value::to_raw_value;

use crate::{
    Environment, Error, Function, Grant, Handler, Trigger,
    http::ApiError,
    log,
    metrics::{BREAKER_OPEN, Dependency},
};

/// Calls in a row that fail before the breaker opens. No rate over a time: a
/// process in Lambda makes one call after the other, and those that run into
/// their timeout are so few in any window that a rate would never mean much.
const BREAKER_FAILURES: u32 = 5;
/// How long an open breaker stays open before it tries again.
const BREAKER_RESET: Duration = Duration::from_secs(30);
/// What a client is told to wait when a service is down, in seconds.
const RETRY_AFTER_SECONDS: u32 = 5;

/// What every call carries, for the log.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chain {
    correlation_id: Option<String>,
}

/// A function that another function calls.
pub fn service<S, C, Start, Starting, Answer, Answering>(
    name: &'static str,
    grants: &'static [Grant],
    start: Start,
    answer: Answer,
) -> Function
where
    S: Send + Sync + 'static,
    C: Call,
    Start: Fn(Environment) -> Starting + Send + Sync + 'static,
    Starting: Future<Output = Result<S, Error>> + Send + 'static,
    Answer: Fn(Arc<S>, C) -> Answering + Copy + Send + Sync + 'static,
    Answering: Future<Output = Result<C::Reply, Error>> + Send + 'static,
{
    Function::new(name, Trigger::Call, grants, move |environment| {
        let starting = start(environment);
        async move {
            let app = Arc::new(starting.await?);
            let handler: Handler = Arc::new(move |event| {
                let app = app.clone();
                Box::pin(async move {
                    let started = Instant::now();
                    let call: C = serde_json::from_str(event.payload.get())?;
                    let request_id = event.context.request_id;
                    let Chain { correlation_id } = serde_json::from_str(event.payload.get())?;
                    let reply = answer(app, call).await;
                    let duration_ms = log::millis(started);
                    match reply {
                        Ok(reply) => {
                            tracing::info!(
                                function = name,
                                request_id,
                                correlation_id,
                                duration_ms,
                                "call"
                            );
                            Ok(to_raw_value(&reply)?)
                        }
                        Err(error) => {
                            let text = log::chain(error.as_ref());
                            tracing::error!(
                                function = name,
                                request_id,
                                correlation_id,
                                duration_ms,
                                error = text,
                                "call failed"
                            );
                            Err(error)
                        }
                    }
                })
            });
            Ok(handler)
        }
    })
}

/// Why a call to another service gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It has failed so often lately that it was not even asked.
    #[error("the circuit to {0} is open")]
    CircuitOpen(&'static str),
    /// It could not be reached, or not in time.
    #[error("{service} cannot be reached")]
    Unreachable {
        /// Which service.
        service: &'static str,
        /// What the SDK says.
        #[source]
        source: Error,
    },
    /// It answered with an error.
    #[error("{service} failed: {kind}")]
    Failed {
        /// Which service.
        service: &'static str,
        /// What Lambda says of it.
        kind: String,
    },
    /// Its answer is not what the contract says.
    #[error("the answer of {service} does not read")]
    Unreadable {
        /// Which service.
        service: &'static str,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl CallError {
    fn service(&self) -> &'static str {
        match self {
            Self::CircuitOpen(service)
            | Self::Unreachable { service, .. }
            | Self::Failed { service, .. }
            | Self::Unreadable { service, .. } => service,
        }
    }
}

impl From<CallError> for ApiError {
    fn from(error: CallError) -> Self {
        ApiError::unavailable(RETRY_AFTER_SECONDS)
            .with_service(error.service())
            .with_source(error)
    }
}

type Breaker = StateMachine<ConsecutiveFailures<backoff::Constant>, BreakerLog>;

/// Calls one function of another service.
#[derive(Clone)]
pub struct CallClient {
    lambda: Client,
    function_name: String,
    breaker: Breaker,
    open: Arc<AtomicBool>,
}

impl CallClient {
    /// A client for the function `function_name` of `service`.
    pub fn new(lambda: Client, function_name: &str, service: &'static str) -> Self {
        Self::with_reset(lambda, function_name, service, BREAKER_RESET)
    }

    /// The same with a breaker that tries again after `reset`.
    pub fn with_reset(
        lambda: Client,
        function_name: &str,
        service: &'static str,
        reset: Duration,
    ) -> Self {
        let policy = consecutive_failures(BREAKER_FAILURES, backoff::constant(reset));
        let open = Arc::new(AtomicBool::new(false));
        let watch = BreakerLog {
            service,
            open: open.clone(),
        };
        Self {
            lambda,
            function_name: function_name.to_owned(),
            breaker: StateMachine::new(policy, watch),
            open,
        }
    }

    /// Calls, and waits for the answer. The function called must be safe to
    /// call twice: a lost answer is asked for again.
    ///
    /// # Errors
    /// When there is no answer, or none that reads.
    pub async fn call<C: Call>(&self, call: &C) -> Result<C::Reply, CallError> {
        if !self.breaker.is_call_permitted() {
            report_breaker(C::SERVICE, true);
            return Err(CallError::CircuitOpen(C::SERVICE));
        }
        let answer = self.invoke(C::SERVICE, serde_json::to_vec(call)).await;
        match &answer {
            Ok(_) => self.breaker.on_success(),
            Err(_) => {
                Dependency::Service(C::SERVICE).failed();
                self.breaker.on_error();
            }
        }
        report_breaker(C::SERVICE, self.open.load(Ordering::Relaxed));
        serde_json::from_slice(&answer?).map_err(|source| CallError::Unreadable {
            service: C::SERVICE,
            source,
        })
    }

    async fn invoke(
        &self,
        service: &'static str,
        payload: serde_json::Result<Vec<u8>>,
    ) -> Result<Vec<u8>, CallError> {
        let payload = payload.map_err(|source| CallError::Unreadable { service, source })?;
        let output = self
            .lambda
            .invoke()
            .function_name(&self.function_name)
            .payload(Blob::new(payload))
            .send()
            .await
            .map_err(|error| CallError::Unreachable {
                service,
                source: error.into(),
            })?;
        match output.function_error {
            Some(kind) => Err(CallError::Failed { service, kind }),
            None => Ok(output.payload.map(Blob::into_inner).unwrap_or_default()),
        }
    }
}

/// Says how the breaker is, with every call: a gauge that is only set when it
/// changes would have no data for an alarm to end on.
fn report_breaker(service: &'static str, open: bool) {
    BREAKER_OPEN.set(&[service], if open { 1.0 } else { 0.0 });
}

/// Logs what the breaker does, and remembers whether it lets calls through.
#[derive(Debug)]
struct BreakerLog {
    service: &'static str,
    open: Arc<AtomicBool>,
}

impl BreakerLog {
    fn changed(&self, open: bool) {
        self.open.store(open, Ordering::Relaxed);
        report_breaker(self.service, open);
    }
}

impl Instrument for BreakerLog {
    fn on_call_rejected(&self) {}

    fn on_open(&self) {
        self.changed(true);
        tracing::warn!(service = self.service, breaker = "open", "circuit breaker");
    }

    fn on_half_open(&self) {
        // Calls may pass, to see; until one succeeds the circuit is not closed.
        self.changed(true);
        tracing::warn!(
            service = self.service,
            breaker = "half_open",
            "circuit breaker"
        );
    }

    fn on_closed(&self) {
        self.changed(false);
        tracing::debug!(
            service = self.service,
            breaker = "closed",
            "circuit breaker"
        );
    }
}
