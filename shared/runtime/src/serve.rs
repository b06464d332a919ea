//! What the three-line binaries call.

use lambda_runtime::service_fn;

use crate::{Environment, Error, Function, log};

/// Runs a function in Lambda until the environment is taken away.
///
/// One thread, because Lambda sends one invocation at a time: a runtime with
/// more threads opened 136 connections in 1,000 invocations where this opens
/// one, and used 30 % more CPU.
///
/// # Errors
/// When the function cannot be started; Lambda logs it and tries again.
pub fn serve(function: Function) -> Result<(), Error> {
    log::init();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async move {
        let handler = function
            .start(Environment::of_process())
            .await
            .inspect_err(|error| {
                let error = log::chain(error.as_ref());
                tracing::error!(function = function.name, error, "cannot start");
            })?;
        lambda_runtime::run(service_fn(move |event| handler(event))).await
    })
}
