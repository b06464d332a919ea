//! The cost of a month without customers.

use std::time::Duration;

use local::template::{Event, Template};
use serde::Serialize;

use crate::{
    Error, assumed,
    bill::{self, Bill, Line, Measurement, Specs, count},
    counts::{Counts, SCHEDULED},
    prices::Prices,
    tree::root,
};

/// Resources with a monthly price, the line that they appear in, and the price.
const FIXED: [(&str, &str, &str); 4] = [
    (
        "AWS::CloudWatch::Alarm",
        "CloudWatch: alarm metrics",
        "alarm",
    ),
    (
        "AWS::CloudWatch::Dashboard",
        "CloudWatch: dashboards",
        "dashboard",
    ),
    (
        "AWS::SecretsManager::Secret",
        "Secrets Manager: secrets",
        "secret",
    ),
    ("AWS::WAFv2::WebACL", "WAF: web ACLs", "waf-acl"),
];

/// The line and the price of each rule of a web ACL.
const RULE: (&str, &str) = ("WAF: rules", "waf-rule");

/// The template's conditions that hold by default; resources under any other
/// condition are listed separately.
const ON_BY_DEFAULT: [&str; 1] = ["Watched"];

/// The monthly cost by default, and what optional resources add to it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Idle {
    /// The cost by default.
    pub bill: Bill,
    /// The lines that depend on a condition of the template, with its name.
    pub conditional: Vec<(String, Line)>,
}

const SECONDS_A_MONTH: f64 = assumed::HOURS_A_MONTH * 3_600.0;

/// How often a schedule fires in a month.
fn runs(every: Duration) -> f64 {
    SECONDS_A_MONTH / every.as_secs_f64()
}

/// A resource of the template.
#[derive(Debug, Default, PartialEq)]
struct Resource<'a> {
    kind: &'a str,
    condition: Option<&'a str>,
    /// The metrics of an alarm with metric math; 0 for any other resource.
    metrics: u32,
    /// The rules of a web ACL.
    rules: u32,
}

impl Resource<'_> {
    /// How many units of its price it costs: an alarm is billed by metric.
    fn quantity(&self) -> f64 {
        f64::from(self.metrics.max(1))
    }
}

/// Lists the template's resources, which the local template reader skips if no
/// function uses them.
fn resources(template: &str) -> Vec<Resource<'_>> {
    let section = template
        .lines()
        .skip_while(|line| *line != "Resources:")
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    let mut resources: Vec<Resource<'_>> = Vec::new();
    for line in section {
        let is_name = line.starts_with("  ") && line.trim_start().len() + 2 == line.len();
        if is_name && line.ends_with(':') {
            resources.push(Resource::default());
        } else if let Some(resource) = resources.last_mut() {
            if let Some(kind) = line.strip_prefix("    Type: ") {
                resource.kind = kind.trim();
            }
            if let Some(condition) = line.strip_prefix("    Condition: ") {
                resource.condition = Some(condition.trim());
            }
            resource.metrics += u32::from(line.contains("MetricStat:"));
            resource.rules += u32::from(line.contains("RateBasedStatement:"));
        }
    }
    resources
}

/// Prices a month, given what scheduled invocations consumed.
///
/// # Errors
/// If the template cannot be read, or no function has run on schedule.
pub fn month(
    scheduled: &Counts,
    template: &Template,
    specs: &Specs,
    prices: &Prices,
) -> Result<Idle, Error> {
    let mut idle = Idle::default();
    let text = std::fs::read_to_string(root().join("template.yaml"))?;
    for resource in resources(&text) {
        let fixed = FIXED.iter().find(|(kind, ..)| *kind == resource.kind);
        let Some((_, what, price)) = fixed else {
            continue;
        };
        let mut costs = vec![(*what, resource.quantity(), *price)];
        if resource.rules > 0 {
            costs.push((RULE.0, f64::from(resource.rules), RULE.1));
        }
        for (what, quantity, price) in costs {
            match resource.condition {
                Some(condition) if !ON_BY_DEFAULT.contains(&condition) => {
                    let mut optional = Bill::default();
                    optional.add(prices, what, quantity, price)?;
                    let lines = optional.lines.into_iter();
                    idle.conditional
                        .extend(lines.map(|line| (condition.to_owned(), line)));
                }
                _ => idle.bill.add(prices, what, quantity, price)?,
            }
        }
    }
    let (mut queues, mut schedule_runs) = (0.0, 0.0);
    for event in template.functions.iter().flat_map(|one| &one.events) {
        match event {
            Event::Queue(_) => queues += 1.0,
            Event::Schedule(schedule) if schedule.enabled => schedule_runs += runs(schedule.every),
            _ => {}
        }
    }
    let polls = SECONDS_A_MONTH / assumed::LONG_POLL_SECONDS;
    idle.bill.add(
        prices,
        "SQS: polling of empty queues, assumed",
        queues * assumed::POLLERS_A_QUEUE * polls,
        "sqs-request",
    )?;
    for (label, invocations) in &scheduled.invocations {
        let name = label.strip_suffix(SCHEDULED).unwrap_or(label);
        let schedules = template
            .functions
            .iter()
            .filter(|one| one.code_name == name);
        let every = schedules
            .flat_map(|one| &one.events)
            .find_map(|event| match event {
                Event::Schedule(schedule) => Some(schedule.every),
                _ => None,
            })
            .ok_or_else(|| format!("{name} has no schedule"))?;
        let one = Measurement {
            times: count(invocations),
            counts: scheduled.clone().only(|one| one == label),
        };
        for line in bill::of(&one, specs, prices)?.lines {
            let quantity = line.quantity * runs(every);
            idle.bill.add(prices, line.what, quantity, line.price)?;
        }
    }
    idle.bill.add(
        prices,
        "CloudWatch: custom metrics",
        assumed::IDLE_METRICS,
        "custom-metric",
    )?;
    if scheduled.invocations.is_empty() {
        return Err("no function has run on schedule".into());
    }
    idle.bill.add(
        prices,
        "EventBridge Scheduler: invocations",
        schedule_runs,
        "scheduler-invocation",
    )?;
    let ingested = idle.bill.lines.iter();
    let ingested: f64 = ingested
        .filter(|line| line.price == "logs-ingested-gb")
        .map(|line| line.quantity)
        .sum();
    idle.bill.add(
        prices,
        "CloudWatch Logs: one month of storage",
        ingested,
        "logs-stored-gb",
    )?;
    Ok(idle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_have_their_type_condition_and_metrics() {
        let template = "Parameters:\n  X:\n    Type: String\nResources:\n\n  # Watches.\n  A:\n    Type: AWS::CloudWatch::Alarm\n\n  \
                        B:\n    Condition: Traced\n    Type: AWS::CloudWatch::Alarm\n    Properties:\n      Metrics:\n        \
                        - MetricStat: {}\n        - MetricStat: {}\n  C:\n    Type: AWS::WAFv2::WebACL\n    Condition: Edge\n    Properties:\n      Rules:\n        \
                        - Statement: { RateBasedStatement: {} }\n        - Statement: { RateBasedStatement: {} }\nOutputs:\n  D:\n    Type: AWS::CloudWatch::Alarm\n";
        let alarm = |condition, metrics| Resource {
            kind: "AWS::CloudWatch::Alarm",
            condition,
            metrics,
            rules: 0,
        };
        let acl = Resource {
            kind: "AWS::WAFv2::WebACL",
            condition: Some("Edge"),
            metrics: 0,
            rules: 2,
        };
        let found = resources(template);
        assert_eq!(found, [alarm(None, 0), alarm(Some("Traced"), 2), acl]);
        assert_eq!(
            found.iter().map(Resource::quantity).collect::<Vec<_>>(),
            [1.0, 2.0, 1.0]
        );
    }
}
