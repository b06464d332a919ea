//! Scheduled functions.

use std::sync::Arc;

use serde_json::{json, value::RawValue};
use tokio::task::JoinHandle;

use crate::{
    clock,
    cloud::StopSignal,
    functions::{Running, invoke_async},
    ids,
    template::{ScheduleEvent, names},
};

/// Invokes a function periodically until it is told to stop.
pub(crate) fn start(
    event: ScheduleEvent,
    function: Arc<Running>,
    stop: StopSignal,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(event.every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        if !event.scheduler {
            // A rule first fires one interval after its creation; EventBridge
            // Scheduler fires immediately.
            ticks.tick().await;
        }
        let mut stopping = std::pin::pin!(stop.wait());
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = &mut stopping => return,
            }
            match payload(&event, &function.spec.logical_id) {
                Ok(payload) => invoke_async(function.clone(), payload),
                Err(error) => {
                    tracing::error!(schedule = event.name, %error, "the schedule's Input is not JSON")
                }
            }
        }
    })
}

/// The template's `Input`, or the scheduled event of AWS.
fn payload(event: &ScheduleEvent, function: &str) -> Result<Box<RawValue>, serde_json::Error> {
    if let Some(input) = &event.input {
        return RawValue::from_string(input.clone());
    }
    let name = format!("{function}-{}", event.name);
    let (service, kind) = if event.scheduler {
        ("scheduler", "schedule/default")
    } else {
        ("events", "rule")
    };
    serde_json::value::to_raw_value(&json!({
        "version": "0",
        "id": ids::request_id(),
        "detail-type": "Scheduled Event",
        "source": format!("aws.{service}"),
        "account": names::ACCOUNT,
        "time": clock::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": names::REGION,
        "resources": [format!("arn:aws:{service}:{}:{}:{kind}/{name}", names::REGION, names::ACCOUNT)],
        // EventBridge Scheduler sends a string here, a rule an object.
        "detail": if event.scheduler { json!("{}") } else { json!({}) },
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::*;

    fn event(input: Option<&str>, scheduler: bool) -> ScheduleEvent {
        ScheduleEvent {
            line: 1,
            name: "Sweep".into(),
            every: Duration::from_secs(60),
            input: input.map(str::to_owned),
            scheduler,
            enabled: true,
        }
    }

    #[test]
    fn the_templates_input_is_passed_unchanged() {
        let input = r#"{"sweep": true}"#;
        assert_eq!(
            payload(&event(Some(input), true), "F").unwrap().get(),
            input
        );
        assert!(payload(&event(Some("sweep"), true), "F").is_err());
    }

    #[test]
    fn without_input_the_event_is_that_of_the_scheduling_service() {
        for (scheduler, source, resource, detail) in [
            (
                false,
                "aws.events",
                "arn:aws:events:us-east-1:000000000000:rule/F-Sweep",
                json!({}),
            ),
            (
                true,
                "aws.scheduler",
                "arn:aws:scheduler:us-east-1:000000000000:schedule/default/F-Sweep",
                json!("{}"),
            ),
        ] {
            let payload: Value =
                serde_json::from_str(payload(&event(None, scheduler), "F").unwrap().get()).unwrap();
            assert_eq!(payload["detail-type"], "Scheduled Event");
            assert_eq!(payload["source"], source);
            assert_eq!(payload["resources"], json!([resource]));
            assert_eq!(payload["detail"], detail);
            assert_eq!(
                payload["time"].as_str().unwrap().len(),
                "2026-01-01T00:00:00Z".len()
            );
        }
    }
}
