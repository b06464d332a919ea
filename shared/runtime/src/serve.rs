//! Runs a function in Lambda.

use std::io::Write;

use lambda_runtime::service_fn;

use crate::{Environment, Error, Function, LambdaEvent, log, metrics::Emf};

/// Threads for blocking work: password hashes and DNS lookups. Each thread keeps
/// the memory of its last hash (19 MB); with more of them, `log-in` had grown to
/// 278 MB after 24 log-ins.
const BLOCKING_THREADS_MAX: usize = 1;

/// Runs a function in Lambda until Lambda ends the process.
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
        let environment = Environment::from_process();
        let (metrics, clock) = (
            Emf::new(function.name, &environment),
            environment.host().clock().clone(),
        );
        // Fails only if there is a recorder already, which then stays.
        let _ = ::metrics::set_global_recorder(metrics.clone());
        let handler = function.start(environment).await.map_err(|error| {
            let error = log::error_chain(error.as_ref());
            tracing::error!(function = function.name, error, "cannot start");
            // Logged once: `main` would print the whole error of the SDK again.
            "cannot start"
        })?;
        let answer = service_fn(move |event: LambdaEvent<_>| {
            let (metrics, clock) = (metrics.clone(), clock.clone());
            let request_id = event.context.request_id.clone();
            let working = handler(event);
            async move {
                let reply = working.await;
                // Before replying, because Lambda freezes the process after it.
                write(&metrics.flush(&request_id, clock.now()));
                reply
            }
        });
        lambda_runtime::run(answer).await
    })
}

/// Writes lines to where Lambda collects logs, in one piece.
fn write(lines: &str) {
    if !lines.is_empty() {
        // There is nowhere to report that nothing can be written.
        let _ = std::io::stdout().lock().write_all(lines.as_bytes());
    }
}
