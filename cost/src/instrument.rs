//! Counts and times the invocations of functions.

use std::sync::Arc;

use runtime::{Error, Function, Handler, LambdaEvent, Trigger};
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
    let of_app = meter.clone();
    let start = move |environment| {
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
            Ok(Instances {
                unscheduled,
                scheduled,
            })
        }
    };
    Function::build(name, trigger, grants, start, move |instances, _| {
        let meter = of_app.clone();
        Ok(Arc::new(move |event| {
            Box::pin(measure(meter.clone(), instances.clone(), event))
        }))
    })
}

/// The started function, each with its caller in the meter's books.
struct Instances {
    unscheduled: (Handler, usize),
    scheduled: (Handler, usize),
}

async fn measure(
    meter: Arc<Meter>,
    instances: Arc<Instances>,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<Box<RawValue>, Error> {
    let shape: Option<Shape> = serde_json::from_str(event.payload.get()).ok();
    let (handler, caller) = match shape.as_ref().is_some_and(Shape::is_scheduled) {
        true => &instances.scheduled,
        false => &instances.unscheduled,
    };
    let messages = shape.map_or(0, |shape| shape.records.len());
    let (waited, started) = (meter.begin(*caller), clock::now());
    let response = handler(event).await;
    let invocation = Invocation {
        own: std::time::Duration::ZERO,
        messages: u64::try_from(messages).unwrap_or_default(),
        response_bytes: response.as_ref().map_or(0, |response| {
            u64::try_from(response.get().len()).unwrap_or_default()
        }),
    };
    meter.end(*caller, waited, started.elapsed(), invocation);
    response
}

impl Shape {
    fn is_scheduled(&self) -> bool {
        let source = self.source.as_deref();
        matches!(source, Some("aws.events" | "aws.scheduler"))
    }
}
