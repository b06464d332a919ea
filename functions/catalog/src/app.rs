//! What the functions share.

use kernel::Currency;
use runtime::{Environment, EnvironmentError, Host};

use crate::store::CatalogStore;

pub(crate) struct App {
    pub(crate) catalog: CatalogStore,
    pub(crate) host: Host,
}

impl App {
    /// Opens the table in `TABLE`.
    pub(crate) async fn start(environment: Environment) -> Result<Self, runtime::Error> {
        Ok(Self {
            catalog: CatalogStore::open(&environment).await?,
            host: environment.host().clone(),
        })
    }
}

/// The currency of prices that name none, from `SHOP_CURRENCY`.
pub(crate) fn shop_currency(environment: &Environment) -> Result<Currency, EnvironmentError> {
    environment.parse_or("SHOP_CURRENCY", Currency::USD, "an ISO 4217 currency code")
}
