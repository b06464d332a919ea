//! What a month costs in which nobody comes.

use std::{collections::BTreeMap, path::Path};

use crate::{
    Error, assumed,
    bill::{self, Bill, Line, Measurement, Specs, count},
    counts::Counts,
    prices::Prices,
};

/// Resources that cost something by being there, and the price of each.
const STANDING: [(&str, &str, &str); 3] = [
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

/// Conditions of the template that its parameters' defaults make true; what is
/// under another one is shown apart.
const ON_BY_DEFAULT: [&str; 1] = ["Watched"];

/// What a month costs with everything that is always there, and what more when
/// a parameter switches it on.
#[derive(Clone, Debug, Default)]
pub struct Idle {
    /// Always.
    pub bill: Bill,
    /// Only under a condition of the template: its name, and the line.
    pub conditional: Vec<(String, Line)>,
}

/// How many resources of each type there are, by the condition they are under.
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

/// Prices a month. `clock` is what runs by the clock, as it was measured.
///
/// # Errors
/// When the template does not read or nothing ran by the clock.
pub fn month(
    clock: &Counts,
    template: &Path,
    queues: usize,
    specs: &Specs,
    prices: &Prices,
) -> Result<Idle, Error> {
    let mut idle = Idle::default();
    let resources = resources(&std::fs::read_to_string(template)?);
    for (kind, what, price) in STANDING {
        for ((_, condition), count) in resources.iter().filter(|((of, _), _)| of == kind) {
            if condition.is_empty() || ON_BY_DEFAULT.contains(&condition.as_str()) {
                idle.bill.merge(prices, what, *count, price)?;
            } else {
                let mut apart = Bill::default();
                apart.add(prices, what, *count, price)?;
                let lines = apart.lines.into_iter();
                idle.conditional
                    .extend(lines.map(|line| (condition.clone(), line)));
            }
        }
    }
    let polls = assumed::HOURS_A_MONTH * 3600.0 / assumed::LONG_POLL_SECONDS;
    let queues = f64::from(u32::try_from(queues)?);
    idle.bill.add(
        prices,
        "SQS: Lambda asks empty queues, assumed",
        queues * assumed::POLLERS_A_QUEUE * polls,
        "sqs-request",
    )?;
    // Each function that runs by the clock ran some times: a month has one
    // round a minute of each.
    let minutes = assumed::HOURS_A_MONTH * 60.0;
    for (label, runs) in &clock.invocations {
        let one = Measurement {
            times: count(runs),
            counts: only(clock, label),
        };
        let every_minute = bill::of(&one, specs, prices)?;
        for line in every_minute.lines {
            idle.bill
                .merge(prices, line.what, line.quantity * minutes, line.price)?;
        }
    }
    if clock.invocations.is_empty() {
        return Err("nothing ran by the clock: the run was shorter than a minute".into());
    }
    let runs = count(&clock.invocations.keys().collect::<Vec<_>>()) * minutes;
    idle.bill
        .add(prices, "EventBridge: rules", runs, "scheduled-rule")?;
    let kept = idle.bill.lines.iter();
    let kept: f64 = kept
        .filter(|line| line.price == "logs-ingested-gb")
        .map(|line| line.quantity)
        .sum();
    idle.bill
        .add(prices, "Logs: kept for a month", kept, "logs-stored-gb")?;
    Ok(idle)
}

/// The part of one function.
fn only(counts: &Counts, label: &str) -> Counts {
    let mut one = counts.clone();
    one.units.retain(|place, _| place.function == label);
    one.calls.retain(|call, _| call.function == label);
    one.invocations.retain(|name, _| name == label);
    one
}

impl Bill {
    /// Adds to a line that may be there already.
    fn merge(
        &mut self,
        prices: &Prices,
        what: &'static str,
        quantity: f64,
        price: &'static str,
    ) -> Result<(), Error> {
        match self.lines.iter_mut().find(|line| line.what == what) {
            None => self.add(prices, what, quantity, price),
            Some(line) => {
                line.quantity += quantity;
                line.usd += prices.of(price)?.times(quantity);
                Ok(())
            }
        }
    }
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
