//! Counts and times the invocations of functions.

use std::sync::Arc;

use runtime::{Function, Handler, LambdaEvent, Trigger};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    clock,
    counts::{Invocation, SCHEDULED},
    meter::Meter,
};

/// The parts of an event that identify its source.
#[derive(Deserialize)]
struct Shape {
    #[serde(rename = "Records", default)]
    records: Vec<serde::de::IgnoredAny>,
    source: Option<String>,
}

/// Wraps a function so that it calls AWS through the meter. A function that may
/// run on a schedule is started twice, so that its scheduled calls are counted
/// separately.
pub fn metered(function: Function, meter: &Arc<Meter>) -> Function {
    let (name, trigger, grants) = (function.name, function.trigger.clone(), function.grants);
    let has_schedule = matches!(trigger, Trigger::Stream | Trigger::Schedule);
    let (function, meter) = (Arc::new(function), meter.clone());
    Function::new(name, trigger, grants, move |environment| {
        let (function, meter) = (function.clone(), meter.clone());
        async move {
            let (through, caller) = meter.through(&environment, name);
            let unscheduled = (function.start(through).await?, caller);
            let scheduled = if has_schedule {
                let label = format!("{name}{SCHEDULED}");
                let (through, caller) = meter.through(&environment, &label);
                (function.start(through).await?, caller)
            } else {
                unscheduled.clone()
            };
            let handler: Handler = Arc::new(move |event: LambdaEvent<Box<RawValue>>| {
                let shape: Option<Shape> = serde_json::from_str(event.payload.get()).ok();
                let is_scheduled = shape.as_ref().is_some_and(Shape::is_scheduled);
                let (handler, caller) = match is_scheduled {
                    true => &scheduled,
                    false => &unscheduled,
                };
                let messages = shape.map_or(0, |shape| shape.records.len());
                let (handler, caller, meter) = (handler.clone(), *caller, meter.clone());
                Box::pin(async move {
                    let (waited, started) = (meter.begin(caller), clock::now());
                    let response = handler(event).await;
                    let invocation = Invocation {
                        own: std::time::Duration::ZERO,
                        messages: u64::try_from(messages).unwrap_or_default(),
                        response_bytes: response.as_ref().map_or(0, |response| {
                            u64::try_from(response.get().len()).unwrap_or_default()
                        }),
                    };
                    meter.end(caller, waited, started.elapsed(), invocation);
                    response
                })
            });
            Ok(handler)
        }
    })
}

impl Shape {
    fn is_scheduled(&self) -> bool {
        let source = self.source.as_deref();
        matches!(source, Some("aws.events" | "aws.scheduler"))
    }
}
