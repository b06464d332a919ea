//! A Lambda function: its name, its trigger, the AWS calls it makes, and how it
//! starts in an environment.
//!
//! The three-line binary in AWS ([`crate::serve`]), the laptop process and the
//! tests start the same value, so all of them run the same code on the same JSON.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use lambda_runtime::LambdaEvent;
use serde_json::value::RawValue;

use crate::{environment::Environment, http::Access};

/// A boxed future, so that sixty functions share one shell (see
/// `docs/decisions/0002-building.md` for what that saves).
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// The error of a whole invocation: Lambda reports it and, for an asynchronous
/// trigger, retries.
pub type Error = Box<dyn std::error::Error + Send + Sync + 'static>;

/// An AWS call that a function makes and its role must allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// The IAM action, such as `dynamodb:GetItem`.
    pub action: &'static str,
    /// The logical id in `template.yaml`; `OrdersTable/index/by-user` for an
    /// index of a table.
    pub resource: &'static str,
}

/// Declares an AWS call of a function, beside the function.
pub const fn grant(action: &'static str, resource: &'static str) -> Grant {
    Grant { action, resource }
}

/// One route of an HTTP function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method, or `None` for the catch-all route.
    pub method: Option<http::Method>,
    /// The path as in the template: `/api/orders/{id}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
}

/// What triggers a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// Requests through API Gateway.
    Http(Vec<Route>),
    /// Messages of a queue, in batches with partial failures.
    Queue,
    /// Records of a table's stream, and the schedule that sweeps after them.
    Stream,
    /// A schedule.
    Schedule,
    /// A call of another function (Lambda Invoke).
    Call,
    /// API Gateway asking who the caller is.
    Authorizer,
}

/// A function that has been started and now answers invocations.
pub type Handler = Arc<
    dyn Fn(LambdaEvent<Box<RawValue>>) -> BoxFuture<Result<Box<RawValue>, Error>> + Send + Sync,
>;

/// Starts a function in an environment.
type Start = Box<dyn Fn(Environment) -> BoxFuture<Result<Handler, Error>> + Send + Sync>;

/// A function before it is started.
pub struct Function {
    /// Its one name: binary, sample event, template resource, module.
    pub name: &'static str,
    /// What triggers it.
    pub trigger: Trigger,
    /// Every AWS call it makes; its role in the template is generated from them.
    pub grants: &'static [Grant],
    start: Start,
}

impl Function {
    /// A function whose handlers share what `start` makes, and whose
    /// invocations are answered by what `answer` makes of that. Every shell of
    /// this crate is built with it, and keeps its own work out of this generic
    /// code, so that sixty functions compile it once.
    pub fn build<App, Starting>(
        name: &'static str,
        trigger: Trigger,
        grants: &'static [Grant],
        start: impl Fn(Environment) -> Starting + Send + Sync + 'static,
        answer: impl Fn(Arc<App>, &Environment) -> Result<Handler, Error>
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> Self
    where
        Starting: Future<Output = Result<App, Error>> + Send + 'static,
    {
        Self {
            name,
            trigger,
            grants,
            start: Box::new(move |environment| {
                let (starting, answer) = (start(environment.clone()), answer.clone());
                Box::pin(async move { answer(Arc::new(starting.await?), &environment) })
            }),
        }
    }

    /// Builds the function's clients from `environment`, warms their
    /// connections, and gives what answers invocations. In Lambda, on a laptop
    /// and in tests this is the one way to start a function.
    ///
    /// # Errors
    /// When the environment lacks a variable or has an invalid one, or a secret cannot
    /// be read.
    pub async fn start(&self, environment: Environment) -> Result<Handler, Error> {
        (self.start)(environment).await
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("name", &self.name)
            .field("trigger", &self.trigger)
            .finish()
    }
}
