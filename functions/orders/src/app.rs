//! What most functions of the service share.

use runtime::{Environment, Host};

use crate::store::OrderStore;

#[derive(Debug)]
pub struct App {
    pub orders: OrderStore,
    pub host: Host,
}

impl App {
    pub async fn start(environment: Environment) -> Result<Self, runtime::Error> {
        Ok(Self {
            orders: OrderStore::open(&environment).await?,
            host: environment.host().clone(),
        })
    }
}
