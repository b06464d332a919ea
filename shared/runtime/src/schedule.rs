//! The shell of functions that run on a schedule.

use std::{future::Future, sync::Arc};

use lambda_runtime::LambdaEvent;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::{BoxFuture, Environment, Error, Function, Grant, Handler, Stopwatch, Trigger, log};

/// One run of a job, with its report; boxed, so that the shell is compiled once.
type Run = Box<dyn Fn() -> BoxFuture<Result<Box<RawValue>, Error>> + Send + Sync>;

/// A function that runs each time its schedule calls, and reports what it did.
/// It must expect two runs at once.
pub fn job<App, Starting, Running, Report>(
    name: &'static str,
    grants: &'static [Grant],
    start: impl Fn(Environment) -> Starting + Send + Sync + 'static,
    run: impl Fn(Arc<App>) -> Running + Copy + Send + Sync + 'static,
) -> Function
where
    App: Send + Sync + 'static,
    Starting: Future<Output = Result<App, Error>> + Send + 'static,
    Running: Future<Output = Result<Report, Error>> + Send + 'static,
    Report: Serialize + Send + 'static,
{
    Function::build(name, Trigger::Schedule, grants, start, move |app, _| {
        Ok(handler(
            name,
            Box::new(move || {
                let running = run(app.clone());
                Box::pin(async move { Ok(to_raw_value(&running.await?)?) })
            }),
        ))
    })
}

fn handler(name: &'static str, run: Run) -> Handler {
    Arc::new(move |event| Box::pin(answer(name, run(), event)))
}

async fn answer(
    function: &'static str,
    running: BoxFuture<Result<Box<RawValue>, Error>>,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<Box<RawValue>, Error> {
    let stopwatch = Stopwatch::start();
    let request_id = event.context.request_id;
    let report = running.await;
    let duration_ms = stopwatch.elapsed_ms();
    match &report {
        Ok(report) => {
            let report = report.get();
            tracing::info!(function, request_id, duration_ms, report, "job run");
        }
        Err(error) => {
            let error = log::error_chain(error.as_ref());
            tracing::error!(function, request_id, duration_ms, error, "job failed");
        }
    }
    report
}
