//! The shells that functions run in. A handler is an async function over typed
//! values; what all handlers share is here: how a function is started, how
//! events of API Gateway, SQS and schedules are parsed, how errors become
//! replies, and what is logged.

#![warn(missing_docs)]

pub mod aws;
mod breaker;
pub mod call;
mod environment;
mod failure;
mod function;
mod host;
pub mod http;
pub mod log;
pub mod metrics;
pub mod queue;
pub mod schedule;
mod sealed;
mod secrets;
mod serve;

pub use environment::{Environment, EnvironmentError};
pub use failure::Failure;
pub use function::{BoxFuture, Error, Function, Grant, Handler, Route, Trigger, grant};
pub use host::{Clock, Host, Random, Stopwatch};
pub use lambda_runtime::{Context, LambdaEvent};
pub use sealed::{SealKey, SealedError};
pub use secrets::{SecretError, SecretVersions, read_secret};
pub use serve::serve;
