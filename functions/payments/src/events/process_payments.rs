//! `process-payments`: authorises, captures and voids payments when orders are
//! placed, committed and cancelled. What it does is in [`crate::processor`].

use std::sync::Arc;

use runtime::{Environment, EnvironmentError, Function, Grant, grant, queue};

use crate::{
    processor::{FUNCTION, Processor},
    provider::{self, PaymentProvider},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "PaymentsTable"),
    grant("dynamodb:PutItem", "PaymentsTable"),
    grant("dynamodb:UpdateItem", "PaymentsTable"),
    grant("dynamodb:Query", "PaymentsTable"),
];

pub fn function() -> Function {
    function_with(provider::from_environment)
}

/// The same with a provider that the environment does not name, for simulations.
pub fn function_with(
    provider: impl Fn(&Environment) -> Result<Arc<dyn PaymentProvider>, EnvironmentError>
    + Send
    + Sync
    + 'static,
) -> Function {
    queue::consumer(
        FUNCTION,
        GRANTS,
        move |environment: Environment| {
            let provider = provider(&environment);
            async move { Processor::with_provider(&environment, provider?).await }
        },
        |processor, event| async move { Ok(processor.process(&event).await?) },
    )
}
