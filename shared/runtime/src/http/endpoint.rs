//! Method, path, access and handler of an HTTP function, in one place.

use std::{future::Future, sync::Arc};

use axum::{
    Router,
    handler::Handler as AxumHandler,
    routing::{MethodFilter, on},
};
use http::{HeaderMap, Method};

use super::{
    Access, ApiError, SourceIp,
    shell::{Guard, Shell},
};
use crate::{Environment, Error, Function, Grant, Route, Trigger};

/// Builds an HTTP function. `App` is what its handlers share.
pub struct Endpoint<App> {
    name: &'static str,
    access: Access,
    grants: &'static [Grant],
    routes: Vec<Route>,
    router: Router<Arc<App>>,
    guard: Option<AppGuard<App>>,
}

/// A [`Guard`] before there is an app.
type AppGuard<App> = Arc<dyn Fn(Arc<App>) -> Guard + Send + Sync>;

impl<App: Send + Sync + 'static> Endpoint<App> {
    /// The function `name`, which `access` may call.
    pub fn new(name: &'static str, access: Access, grants: &'static [Grant]) -> Self {
        Self {
            name,
            access,
            grants,
            routes: Vec::new(),
            router: Router::new(),
            guard: None,
        }
    }

    /// Answers `GET path`.
    #[must_use]
    pub fn get<H: AxumHandler<T, Arc<App>>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
    ) -> Self {
        self.on(MethodFilter::GET, Method::GET, path, handler)
    }

    /// Answers `POST path`.
    #[must_use]
    pub fn post<H: AxumHandler<T, Arc<App>>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
    ) -> Self {
        self.on(MethodFilter::POST, Method::POST, path, handler)
    }

    /// Answers `PUT path`.
    #[must_use]
    pub fn put<H: AxumHandler<T, Arc<App>>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
    ) -> Self {
        self.on(MethodFilter::PUT, Method::PUT, path, handler)
    }

    /// Answers `PATCH path`.
    #[must_use]
    pub fn patch<H: AxumHandler<T, Arc<App>>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
    ) -> Self {
        self.on(MethodFilter::PATCH, Method::PATCH, path, handler)
    }

    /// Answers `DELETE path`.
    #[must_use]
    pub fn delete<H: AxumHandler<T, Arc<App>>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
    ) -> Self {
        self.on(MethodFilter::DELETE, Method::DELETE, path, handler)
    }

    /// Answers what no other route of the API answers.
    #[must_use]
    pub fn otherwise<H: AxumHandler<T, Arc<App>>, T: 'static>(mut self, handler: H) -> Self {
        self.routes.push(Route {
            method: None,
            path: "$default",
            access: self.access,
        });
        self.router = self.router.fallback(handler);
        self
    }

    fn on<H: AxumHandler<T, Arc<App>>, T: 'static>(
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

    /// Checks each request that the access admits, before its content is read.
    /// The guard returns headers for the reply, success or error, or the error to
    /// reply with.
    #[must_use]
    pub fn guard<Guarding>(
        mut self,
        guard: impl Fn(Arc<App>, SourceIp) -> Guarding + Copy + Send + Sync + 'static,
    ) -> Self
    where
        Guarding: Future<Output = Result<HeaderMap, ApiError>> + Send + 'static,
    {
        self.guard = Some(Arc::new(move |app| {
            Arc::new(move |ip| Box::pin(guard(app.clone(), ip)))
        }));
        self
    }

    /// The function; `start` makes what its handlers share.
    pub fn start<Starting>(
        self,
        start: impl Fn(Environment) -> Starting + Send + Sync + 'static,
    ) -> Function
    where
        Starting: Future<Output = Result<App, Error>> + Send + 'static,
    {
        let Self {
            name,
            access,
            grants,
            routes,
            router,
            guard,
        } = self;
        let trigger = Trigger::Http(routes);
        Function::build(name, trigger, grants, start, move |app, environment| {
            let guard = guard.as_ref().map(|guard| guard(app.clone()));
            let router = router.clone().with_state(app);
            Ok(Shell::new(name, access, guard, router, environment)?.into_handler())
        })
    }
}
