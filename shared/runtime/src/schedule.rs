//! The shell of functions that run on a schedule.

use std::{future::Future, sync::Arc, time::Instant};

use serde::Serialize;
use serde_json::value::to_raw_value;

use crate::{Environment, Error, Function, Grant, Handler, Trigger, log};

/// A function that does its round each time the schedule calls, and says in
/// `Done` what it did. It must expect two rounds at once.
pub fn job<S, Start, Starting, Run, Running, Done>(
    name: &'static str,
    grants: &'static [Grant],
    start: Start,
    run: Run,
) -> Function
where
    S: Send + Sync + 'static,
    Start: Fn(Environment) -> Starting + Send + Sync + 'static,
    Starting: Future<Output = Result<S, Error>> + Send + 'static,
    Run: Fn(Arc<S>) -> Running + Copy + Send + Sync + 'static,
    Running: Future<Output = Result<Done, Error>> + Send + 'static,
    Done: Serialize + Send + 'static,
{
    Function::new(name, Trigger::Schedule, grants, move |environment| {
        let starting = start(environment);
        async move {
            let app = Arc::new(starting.await?);
            let handler: Handler = Arc::new(move |event| {
                let app = app.clone();
                Box::pin(async move {
                    let started = Instant::now();
                    let request_id = event.context.request_id;
                    let done = run(app).await;
                    let duration_ms = log::millis(started);
                    match done {
                        Ok(done) => {
                            let done = to_raw_value(&done)?;
                            tracing::info!(
                                function = name,
                                request_id,
                                duration_ms,
                                done = done.get(),
                                "run"
                            );
                            Ok(done)
                        }
                        Err(error) => {
                            let text = log::chain(error.as_ref());
                            tracing::error!(
                                function = name,
                                request_id,
                                duration_ms,
                                error = text,
                                "run failed"
                            );
                            Err(error)
                        }
                    }
                })
            });
            Ok(handler)
        }
    })
}
