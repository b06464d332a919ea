//! What functions share that need only the table.

use runtime::{Environment, Error, Host};

use crate::store::Store;

#[derive(Debug)]
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) host: Host,
}

impl App {
    pub(crate) async fn start(environment: Environment) -> Result<Self, Error> {
        Ok(Self {
            store: Store::open(&environment).await?,
            host: environment.host().clone(),
        })
    }
}
