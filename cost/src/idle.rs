//! The cost of a month without customers.

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;

use crate::{
    Error, assumed,
    bill::{self, Bill, Line, Measurement, Specs, count},
    counts::Counts,
    prices::Prices,
};

/// Resources with a monthly price, the line that they appear in, and the price.
const FIXED: [(&str, &str, &str); 3] = [
    ("AWS::CloudWatch::Alarm", "CloudWatch: alarms", "alarm"),
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
];

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

/// Counts the template's resources by type and condition.
fn resources(template: &str) -> BTreeMap<(String, String), f64> {
    let mut found = BTreeMap::new();
    let (mut kind, mut condition) = (String::new(), String::new());
    let mut inside = false;
    for line in template.lines().chain(["End:"]) {
        let is_new = line.starts_with("  ") && !line.starts_with("   ") && line.ends_with(':');
        if is_new || !line.starts_with([' ', '#']) && !line.is_empty() {
            if inside && !kind.is_empty() {
                *found
                    .entry((std::mem::take(&mut kind), std::mem::take(&mut condition)))
                    .or_insert(0.0) += 1.0;
            }
            if !line.starts_with(' ') {
                inside = line == "Resources:";
            }
            kind.clear();
            condition.clear();
        } else if let Some(of) = line.strip_prefix("    Type: ") {
            of.trim().clone_into(&mut kind);
        } else if let Some(of) = line.strip_prefix("    Condition: ") {
            of.trim().clone_into(&mut condition);
        }
    }
    found
}

/// Prices a month, given what scheduled invocations consumed.
///
/// # Errors
/// If the template cannot be read, or no function has run on schedule.
pub fn month(
    scheduled: &Counts,
    template: &Path,
    queues: usize,
    specs: &Specs,
    prices: &Prices,
) -> Result<Idle, Error> {
    let mut idle = Idle::default();
    let resources = resources(&std::fs::read_to_string(template)?);
    for (kind, what, price) in FIXED {
        for ((_, condition), count) in resources.iter().filter(|((of, _), _)| of == kind) {
            if condition.is_empty() || ON_BY_DEFAULT.contains(&condition.as_str()) {
                idle.bill.add(prices, what, *count, price)?;
            } else {
                let mut optional = Bill::default();
                optional.add(prices, what, *count, price)?;
                let lines = optional.lines.into_iter();
                idle.conditional
                    .extend(lines.map(|line| (condition.clone(), line)));
            }
        }
    }
    let polls = assumed::HOURS_A_MONTH * 3600.0 / assumed::LONG_POLL_SECONDS;
    let queues = f64::from(u32::try_from(queues)?);
    idle.bill.add(
        prices,
        "SQS: polling of empty queues, assumed",
        queues * assumed::POLLERS_A_QUEUE * polls,
        "sqs-request",
    )?;
    // Each of these functions runs once a minute.
    let minutes = assumed::HOURS_A_MONTH * 60.0;
    for (label, runs) in &scheduled.invocations {
        let one = Measurement {
            times: count(runs),
            counts: scheduled.clone().only(|one| one == label),
        };
        let every_minute = bill::of(&one, specs, prices)?;
        for line in every_minute.lines {
            idle.bill
                .add(prices, line.what, line.quantity * minutes, line.price)?;
        }
    }
    if scheduled.invocations.is_empty() {
        return Err("no function has run on schedule".into());
    }
    let runs = count(&scheduled.invocations.keys().collect::<Vec<_>>()) * minutes;
    idle.bill.add(
        prices,
        "EventBridge: scheduled rules",
        runs,
        "scheduled-rule",
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
    fn resources_are_counted_by_type_and_condition() {
        let template = "Parameters:\n  X:\n    Type: String\nResources:\n  A:\n    Type: AWS::CloudWatch::Alarm\n\n  \
                        B:\n    Type: AWS::CloudWatch::Alarm\n    Condition: Traced\n  \
                        C:\n    Type: AWS::CloudWatch::Alarm\nOutputs:\n  D:\n    Type: AWS::CloudWatch::Alarm\n";
        let found = resources(template);
        let of = |condition: &str| {
            let key = ("AWS::CloudWatch::Alarm".to_owned(), condition.to_owned());
            found.get(&key).copied()
        };
        assert_eq!((of(""), of("Traced")), (Some(2.0), Some(1.0)));
        assert_eq!(found.len(), 2);
    }
}
