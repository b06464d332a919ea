//! What the service's API functions share.

use runtime::Environment;

use crate::store::PaymentStore;

#[derive(Debug)]
pub struct App {
    pub payments: PaymentStore,
}

impl App {
    /// Opens the table in `TABLE`.
    pub async fn start(environment: Environment) -> Result<Self, runtime::Error> {
        let payments = PaymentStore::open(&environment).await?;
        Ok(Self { payments })
    }
}
