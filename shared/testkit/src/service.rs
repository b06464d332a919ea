//! The functions of a service, started as Lambda starts them and found by
//! their routes as API Gateway finds them.

use std::sync::Arc;

use http::Method;
use runtime::{Environment, Function, Handler, Route, Trigger};
use tokio::sync::OnceCell;

use crate::Client;

/// A service under test; its clones are the same functions.
#[derive(Clone)]
pub struct Service(Arc<Functions>);

struct Functions {
    environment: Environment,
    functions: Vec<(Function, OnceCell<Handler>)>,
}

impl Service {
    /// These functions; each starts when it is first used.
    pub fn new(functions: Vec<Function>, environment: Environment) -> Self {
        let functions = functions
            .into_iter()
            .map(|function| (function, OnceCell::new()))
            .collect();
        Self(Arc::new(Functions {
            environment,
            functions,
        }))
    }

    /// A client of all routes, not signed in.
    pub fn client(&self) -> Client {
        Client::of_service(self.clone())
    }

    /// The function `name`, started.
    pub async fn function(&self, name: &str) -> Handler {
        let found = self.0.functions.iter().find(|(f, _)| f.name == name);
        let (function, started) = found.unwrap_or_else(|| panic!("no function {name}"));
        self.start(function, started).await
    }

    /// The function that answers a request, started. Among several that match,
    /// the one with the fewest parameters, as in API Gateway.
    pub(crate) async fn route(&self, method: &Method, path: &str) -> Handler {
        let candidates = self.0.functions.iter().filter_map(|(function, started)| {
            let Trigger::Http(routes) = &function.trigger else {
                return None;
            };
            let matches = routes.iter().filter(|route| matches(route, method, path));
            let parameters = matches.map(|route| route.path.matches('{').count());
            Some((parameters.min()?, function, started))
        });
        let best = candidates.min_by_key(|(parameters, ..)| *parameters);
        let (_, function, started) =
            best.unwrap_or_else(|| panic!("no function answers {method} {path}"));
        self.start(function, started).await
    }

    async fn start(&self, function: &Function, started: &OnceCell<Handler>) -> Handler {
        let start = || async {
            let starting = function.start(self.0.environment.clone());
            let name = function.name;
            starting
                .await
                .unwrap_or_else(|error| panic!("{name} does not start: {error}"))
        };
        started.get_or_init(start).await.clone()
    }
}

fn matches(route: &Route, method: &Method, path: &str) -> bool {
    let mut wanted = route.path.split('/');
    let mut segments = path.split('/');
    route.method.as_ref() == Some(method)
        && loop {
            match (wanted.next(), segments.next()) {
                (None, None) => break true,
                (Some(wanted), Some(segment)) if wanted == segment || wanted.starts_with('{') => {}
                _ => break false,
            }
        }
}
