//! Method, path, access and handler of an HTTP function, in one place.

use std::future::Future;

use axum::{
    Router,
    handler::Handler as AxumHandler,
    routing::{MethodFilter, on},
};
use http::Method;

use super::{Access, shell};
use crate::{Environment, Error, Function, Grant, Route, Trigger};

/// An HTTP function while it is put together. `S` is what its handlers share.
pub struct Endpoint<S> {
    name: &'static str,
    access: Access,
    grants: &'static [Grant],
    routes: Vec<Route>,
    router: Router<S>,
}

impl<S: Clone + Send + Sync + 'static> Endpoint<S> {
    /// The function `name`, which `access` may call.
    pub fn new(name: &'static str, access: Access, grants: &'static [Grant]) -> Self {
        Self {
            name,
            access,
            grants,
            routes: Vec::new(),
            router: Router::new(),
        }
    }

    /// Answers `GET path`.
    #[must_use]
    pub fn get<H: AxumHandler<T, S>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on(MethodFilter::GET, Method::GET, path, handler)
    }

    /// Answers `POST path`.
    #[must_use]
    pub fn post<H: AxumHandler<T, S>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on(MethodFilter::POST, Method::POST, path, handler)
    }

    /// Answers `PUT path`.
    #[must_use]
    pub fn put<H: AxumHandler<T, S>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on(MethodFilter::PUT, Method::PUT, path, handler)
    }

    /// Answers `PATCH path`.
    #[must_use]
    pub fn patch<H: AxumHandler<T, S>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on(MethodFilter::PATCH, Method::PATCH, path, handler)
    }

    /// Answers `DELETE path`.
    #[must_use]
    pub fn delete<H: AxumHandler<T, S>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on(MethodFilter::DELETE, Method::DELETE, path, handler)
    }

    /// Answers whatever no route of the API answers.
    #[must_use]
    pub fn otherwise<H: AxumHandler<T, S>, T: 'static>(mut self, handler: H) -> Self {
        self.routes.push(Route {
            method: None,
            path: "$default",
            access: self.access,
        });
        self.router = self.router.fallback(handler);
        self
    }

    fn on<H: AxumHandler<T, S>, T: 'static>(
        mut self,
        filter: MethodFilter,
        method: Method,
        path: &'static str,
        handler: H,
    ) -> Self {
        self.routes.push(Route {
            method: Some(method),
            path,
            access: self.access,
        });
        self.router = self.router.route(path, on(filter, handler));
        self
    }

    /// The function; `start` makes what its handlers share.
    pub fn start<Start, Starting>(self, start: Start) -> Function
    where
        Start: Fn(Environment) -> Starting + Send + Sync + 'static,
        Starting: Future<Output = Result<S, Error>> + Send + 'static,
    {
        let Self {
            name,
            access,
            grants,
            routes,
            router,
        } = self;
        Function::new(name, Trigger::Http(routes), grants, move |environment| {
            let service = shell::service_name(&environment);
            let starting = start(environment);
            let router = router.clone();
            async move {
                let shared = starting.await?;
                Ok(shell::handler(
                    name,
                    service,
                    access,
                    router.with_state(shared),
                ))
            }
        })
    }
}
