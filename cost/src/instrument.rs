//! Functions that count and time their invocations.

use std::{sync::Arc, time::Instant};

use runtime::{Function, Handler, LambdaEvent, Trigger};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    counts::{BY_THE_CLOCK, Invocation},
    meter::Meter,
};

/// What of an event tells who sent it.
#[derive(Deserialize)]
struct Shape {
    #[serde(rename = "Records", default)]
    records: Vec<serde::de::IgnoredAny>,
    source: Option<String>,
}

/// A function that is started twice, once for what the shop does and once for
/// what the clock does, so that the calls of the two are told apart; and both
/// call AWS through the meter.
pub fn metered(function: Function, meter: &Arc<Meter>) -> Function {
    let (name, trigger, grants) = (function.name, function.trigger.clone(), function.grants);
    let by_clock = matches!(trigger, Trigger::Stream | Trigger::Schedule);
    let (function, meter) = (Arc::new(function), meter.clone());
    Function::new(name, trigger, grants, move |environment| {
        let (function, meter) = (function.clone(), meter.clone());
        async move {
            let (through, caller) = meter.through(&environment, name);
            let of_shop = (function.start(through).await?, caller);
            let of_clock = if by_clock {
                let label = format!("{name}{BY_THE_CLOCK}");
                let (through, caller) = meter.through(&environment, &label);
                (function.start(through).await?, caller)
            } else {
                of_shop.clone()
            };
            let handler: Handler = Arc::new(move |event: LambdaEvent<Box<RawValue>>| {
                let shape: Option<Shape> = serde_json::from_str(event.payload.get()).ok();
                let by_clock = shape.as_ref().is_some_and(Shape::is_by_the_clock);
                let (handler, caller) = if by_clock { &of_clock } else { &of_shop };
                let messages = shape.map_or(0, |shape| shape.records.len());
                let (handler, caller, meter) = (handler.clone(), *caller, meter.clone());
                Box::pin(async move {
                    let (waited, started) = (meter.begin(caller), Instant::now());
                    let reply = handler(event).await;
                    let done = Invocation {
                        own: std::time::Duration::ZERO,
                        messages: u64::try_from(messages).unwrap_or_default(),
                        reply_bytes: reply.as_ref().map_or(0, |reply| {
                            u64::try_from(reply.get().len()).unwrap_or_default()
                        }),
                    };
                    meter.end(caller, waited, started.elapsed(), done);
                    reply
                })
            });
            Ok(handler)
        }
    })
}

impl Shape {
    fn is_by_the_clock(&self) -> bool {
        let source = self.source.as_deref();
        matches!(source, Some("aws.events" | "aws.scheduler"))
    }
}
