//! What the three-line binaries call.

use lambda_runtime::service_fn;

use crate::{Environment, Error, Function, log};

/// Threads for what blocks: password hashes, and names that are looked up. Each
/// thread keeps the memory of its last hash (19 MB), and with more of them a
/// function that logs people in had grown to 278 MB after 24 log-ins.
const BLOCKING_THREADS_MAX: usize = 1;

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
        .max_blocking_threads(BLOCKING_THREADS_MAX)
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
