//! Measures programs side by side, interleaved so that whatever else the machine
//! does affects all of them.

use std::time::Duration;

use crate::{
    Error,
    process::{Process, Program, Setup},
    shop::SampleShop,
};

/// The warm calls come in this many rounds, with a block of calls for each program.
const ROUNDS: usize = 20;
/// The service whose connections are counted.
const DYNAMODB: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// A program to measure.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) program: Program,
    /// The function whose events it receives.
    pub(crate) function: &'static str,
    /// The number of warm calls in a full run.
    pub(crate) calls: usize,
}

/// How often everything is repeated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repetitions {
    pub(crate) cold_starts: usize,
    /// The maximum number of warm calls of each program.
    pub(crate) calls_max: usize,
}

/// What was measured of one program.
#[derive(Debug, Default, Clone)]
pub(crate) struct Figures {
    pub(crate) init_cpu: Vec<Duration>,
    pub(crate) init_wall: Vec<Duration>,
    pub(crate) first_cpu: Vec<Duration>,
    pub(crate) first_wall: Vec<Duration>,
    pub(crate) warm_wall: Vec<Duration>,
    /// Of one call: the mean of each round.
    pub(crate) warm_cpu: Vec<Duration>,
    /// The peak of resident memory, after all warm calls.
    pub(crate) peak_kib: u64,
    /// To the runtime API and to DynamoDB, over the lifetime of the warm process.
    pub(crate) connections: (usize, usize),
}

/// A percentile by the nearest-rank method.
pub(crate) fn percentile(values: &[Duration], percent: usize) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let index = sorted.len().saturating_mul(percent) / 100;
    let last = sorted.len().saturating_sub(1);
    sorted.get(index.min(last)).copied().unwrap_or_default()
}

pub(crate) fn median(values: &[Duration]) -> Duration {
    percentile(values, 50)
}

/// Measures all targets; returns the figures in the same order.
pub(crate) async fn measure(
    targets: &[Target],
    shop: &SampleShop,
    setup: &Setup<'_>,
    repetitions: Repetitions,
) -> Result<Vec<Figures>, Error> {
    let mut all = vec![Figures::default(); targets.len()];
    for _ in 0..repetitions.cold_starts {
        for (target, figures) in targets.iter().zip(&mut all) {
            cold_start(target, shop, setup, figures)
                .await
                .map_err(|error| format!("{}: {error}", target.program.name))?;
        }
    }
    let mut processes = Vec::with_capacity(targets.len());
    for target in targets {
        let (process, _) = Process::start(&target.program, setup).await?;
        // The first call was measured above.
        process.invoke(shop.event(target.function)?).await?;
        processes.push(process);
    }
    for _ in 0..ROUNDS {
        for ((target, process), figures) in targets.iter().zip(&processes).zip(&mut all) {
            let calls = (target.calls.min(repetitions.calls_max) / ROUNDS).max(1);
            let before = process.cpu().await?;
            for _ in 0..calls {
                let reply = process.invoke(shop.event(target.function)?).await;
                let reply = reply.map_err(|error| format!("{}: {error}", target.program.name))?;
                figures.warm_wall.push(reply.wall);
            }
            let used = process.cpu().await?.saturating_sub(before);
            figures.warm_cpu.push(used / u32::try_from(calls)?);
        }
    }
    for (process, figures) in processes.iter().zip(&mut all) {
        figures.peak_kib = process.memory_kib("VmHWM")?;
        figures.connections = process.connections(DYNAMODB);
    }
    Ok(all)
}

async fn cold_start(
    target: &Target,
    shop: &SampleShop,
    setup: &Setup<'_>,
    figures: &mut Figures,
) -> Result<(), Error> {
    let (process, start) = Process::start(&target.program, setup).await?;
    let reply = process.invoke(shop.event(target.function)?).await?;
    let cpu = process.cpu().await?;
    figures.init_cpu.push(start.cpu);
    figures.init_wall.push(start.wall);
    figures.first_cpu.push(cpu.saturating_sub(start.cpu));
    figures.first_wall.push(reply.wall);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let values: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(median(&values), Duration::from_millis(51));
        assert_eq!(percentile(&values, 99), Duration::from_millis(100));
        assert_eq!(median(&values[..1]), Duration::from_millis(100));
        assert_eq!(median(&[]), Duration::ZERO);
    }
}
