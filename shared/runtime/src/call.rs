//! Calls between services: the shell of a function that is called, and the
//! client that calls it, with timeout, bounded retry and a circuit breaker.

use std::{future::Future, sync::Arc};

use aws_sdk_lambda::{Client, primitives::Blob};
use contracts::calls::Call;
use lambda_runtime::LambdaEvent;
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    BoxFuture, Clock, Environment, Error, Function, Grant, Handler, Stopwatch, Trigger,
    breaker::Breaker, log, metrics::Dependency,
};

/// Answers one call, JSON for JSON; boxed, so that the shell is compiled once.
type Answer = Box<dyn Fn(&RawValue) -> BoxFuture<Result<Box<RawValue>, Error>> + Send + Sync>;

/// What every call carries, for the log.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Correlated {
    correlation_id: Option<String>,
}

/// A function that another function calls. `answer` must expect each call more
/// than once: a lost reply is asked for again.
pub fn service<App, C, Starting, Answering>(
    name: &'static str,
    grants: &'static [Grant],
    start: impl Fn(Environment) -> Starting + Send + Sync + 'static,
    answer: impl Fn(Arc<App>, C) -> Answering + Copy + Send + Sync + 'static,
) -> Function
where
    App: Send + Sync + 'static,
    C: Call,
    Starting: Future<Output = Result<App, Error>> + Send + 'static,
    Answering: Future<Output = Result<C::Reply, Error>> + Send + 'static,
{
    Function::build(name, Trigger::Call, grants, start, move |app, _| {
        Ok(handler(
            name,
            Box::new(move |payload| {
                let call = serde_json::from_str::<C>(payload.get());
                let answering = call.map(|call| answer(app.clone(), call));
                Box::pin(async move { Ok(to_raw_value(&answering?.await?)?) })
            }),
        ))
    })
}

fn handler(name: &'static str, answer: Answer) -> Handler {
    Arc::new(move |event| {
        let answering = answer(&event.payload);
        Box::pin(log_call(name, answering, event))
    })
}

async fn log_call(
    function: &'static str,
    answering: BoxFuture<Result<Box<RawValue>, Error>>,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<Box<RawValue>, Error> {
    let stopwatch = Stopwatch::start();
    let request_id = event.context.request_id;
    let correlated = serde_json::from_str(event.payload.get());
    let correlation_id = correlated
        .ok()
        .and_then(|found: Correlated| found.correlation_id);
    let reply = answering.await;
    let duration_ms = stopwatch.elapsed_ms();
    match &reply {
        Ok(_) => tracing::info!(function, request_id, correlation_id, duration_ms, "call"),
        Err(error) => {
            let error = log::error_chain(error.as_ref());
            tracing::error!(
                function,
                request_id,
                correlation_id,
                duration_ms,
                error,
                "call failed"
            );
        }
    }
    reply
}

/// Why a call to another service gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It has failed so often lately that it was not called.
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
    #[error("the answer of {service} cannot be read")]
    Unreadable {
        /// Which service.
        service: &'static str,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
}

impl CallError {
    /// Which service did not answer.
    pub fn service(&self) -> &'static str {
        match self {
            Self::CircuitOpen(service)
            | Self::Unreachable { service, .. }
            | Self::Failed { service, .. }
            | Self::Unreadable { service, .. } => service,
        }
    }
}

/// Calls one function of another service.
#[derive(Clone)]
pub struct CallClient {
    lambda: Client,
    function_name: String,
    breaker: Breaker,
}

impl CallClient {
    /// A client for the function `function_name` of `service`.
    pub fn new(lambda: Client, function_name: &str, service: &'static str, clock: Clock) -> Self {
        Self {
            lambda,
            function_name: function_name.to_owned(),
            breaker: Breaker::new(service, clock),
        }
    }

    /// Calls, and waits for the answer. The function called must be safe to
    /// call twice: a lost answer is asked for again.
    ///
    /// # Errors
    /// When there is no answer, or none that can be read.
    pub async fn call<C: Call>(&self, call: &C) -> Result<C::Reply, CallError> {
        if !self.breaker.permits_call() {
            return Err(CallError::CircuitOpen(C::SERVICE));
        }
        let answer = self.invoke(C::SERVICE, serde_json::to_vec(call)).await;
        match &answer {
            Ok(_) => self.breaker.succeeded(),
            Err(_) => {
                Dependency::Service(C::SERVICE).failed();
                self.breaker.failed();
            }
        }
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
