//! Counting the calls that a function makes to the store.

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::{
    Client,
    config::{ConfigBag, Intercept, interceptors::BeforeSerializationInterceptorContextRef},
    error::BoxError,
};
use aws_smithy_runtime_api::client::{
    orchestrator::Metadata, runtime_components::RuntimeComponents,
};
use dynamo::Table;

use crate::shop::Shop;

/// The names of the calls that are made to the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<String>>>);

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "calls"
    }

    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = config.load::<Metadata>().unwrap().name().to_owned();
        self.0.lock().unwrap().push(operation);
        Ok(())
    }
}

impl Calls {
    /// The calls since the last look.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// The shop's table through a client that notes what it is asked.
pub(crate) fn counted(shop: &Shop) -> (Calls, Table) {
    let calls = Calls::default();
    let table = shop.table.table();
    let config = table.client().config().to_builder();
    let client = Client::from_conf(config.interceptor(calls.clone()).build());
    (calls, Table::new(client, table.name()))
}
