//! The shells that every function runs in. A function is an ordinary async
//! function over typed values; what is the same for all of them is here: how
//! it is started, what it is told by API Gateway, SQS or a schedule, how its
//! errors become replies, and what is logged.

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
