//! The whole shop in one process, for development and tests: no Docker, no AWS
//! account, no network. It reads `template.yaml`, embeds the AWS services that
//! the template asks for, and runs the same functions that run in Lambda.
//!
//! - [`template`] parses the template; routes and queues are known from there only.
//! - `cloud` embeds DynamoDB, SQS, SNS, SES and Secrets Manager.
//! - `functions` starts and invokes the functions. It also serves Lambda's
//!   Invoke API, for functions that call others.
//! - `gateway` stands in for API Gateway, `triggers` for Lambda's event source
//!   mappings and the schedulers.
//! - `dashboard` is `/_local/`, `metrics` is `/metrics`; a deployed shop has
//!   neither.
//!
//! Tests start it with [`Shop::start`]; `emporium-local` is its command line.

mod clock;
mod cloud;
mod dashboard;
mod functions;
mod gateway;
mod ids;
mod metrics;
pub mod registry;
mod services;
mod shop;
pub mod template;
mod triggers;

pub use cloud::CloudError;
pub use functions::FunctionsError;
pub use shop::{Options, Shop, Source, StartError};
