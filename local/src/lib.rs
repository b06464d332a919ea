//! The whole shop in one process: no Docker, no account, no network. It reads
//! `template.yaml`, embeds the AWS services that the template asks for, and
//! runs the very functions that run in Lambda.
//!
//! - [`template`] reads the template; nothing else knows of routes or queues.
//! - `cloud` is DynamoDB, SQS, SNS, SES and Secrets Manager.
//! - `functions` starts and invokes the functions; it also serves Lambda's
//!   Invoke API, for functions that call others.
//! - `gateway` does what API Gateway does, `triggers` what Lambda's pollers and
//!   the schedulers do.
//! - `page` is `/_local/`, which only a laptop has; so is `/metrics`, of
//!   `metrics`.
//!
//! Tests start it with [`Shop::start`]; `emporium-local` is the same with a
//! banner.

mod clock;
mod cloud;
mod functions;
mod gateway;
mod metrics;
mod page;
pub mod registry;
mod shop;
pub mod template;
mod triggers;

pub use cloud::CloudError;
pub use functions::FunctionsError;
pub use shop::{Options, Shop, Source, StartError};
