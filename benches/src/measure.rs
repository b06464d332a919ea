//! Measures functions against each other: in turns, so that whatever else the
//! machine does meets all of them.

use std::{path::Path, time::Duration};

use crate::{
    Failure,
    front::Authority,
    process::{Process, Program},
    world::World,
};

/// Turns of the warm calls: each function has a block of its calls in each.
const TURNS: usize = 20;
/// The service whose connections are counted.
const DYNAMODB: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// One of those who are measured.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) program: Program,
    /// The function whose events it gets.
    pub(crate) function: &'static str,
    /// Warm calls in a full run.
    pub(crate) calls: usize,
}

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) cold_starts: usize,
    /// The most warm calls of each.
    pub(crate) calls_max: usize,
}

/// What was measured of one.
#[derive(Debug, Default, Clone)]
pub(crate) struct Figures {
    pub(crate) init_cpu: Vec<Duration>,
    pub(crate) init_wall: Vec<Duration>,
    pub(crate) first_cpu: Vec<Duration>,
    pub(crate) first_wall: Vec<Duration>,
    pub(crate) warm_wall: Vec<Duration>,
    /// Of one call, the mean of each turn.
    pub(crate) warm_cpu: Vec<Duration>,
    /// Resident memory at its height, after all warm calls.
    pub(crate) peak_kib: u64,
    /// To the runtime API and to DynamoDB, over the warm process's whole life.
    pub(crate) connections: (usize, usize),
}

/// The value below which a share (of 100) of the values lies.
pub(crate) fn percentile(values: &[Duration], share: usize) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let index = sorted.len().saturating_mul(share) / 100;
    let last = sorted.len().saturating_sub(1);
    sorted.get(index.min(last)).copied().unwrap_or_default()
}

pub(crate) fn median(values: &[Duration]) -> Duration {
    percentile(values, 50)
}

/// Measures all targets; the figures are in their order.
pub(crate) async fn measure(
    targets: &[Target],
    world: &World,
    authority: &Authority,
    logs: &Path,
    effort: Effort,
) -> Result<Vec<Figures>, Failure> {
    let mut all = vec![Figures::default(); targets.len()];
    for _ in 0..effort.cold_starts {
        for (target, figures) in targets.iter().zip(&mut all) {
            cold_start(target, world, authority, logs, figures)
                .await
                .map_err(|error| format!("{}: {error}", target.program.name))?;
        }
    }
    let mut processes = Vec::with_capacity(targets.len());
    for target in targets {
        let (process, _) = Process::start(&target.program, authority, logs).await?;
        // Not measured: it was above.
        process.invoke(world.event(target.function)?).await?;
        processes.push(process);
    }
    for _ in 0..TURNS {
        for ((target, process), figures) in targets.iter().zip(&processes).zip(&mut all) {
            let calls = (target.calls.min(effort.calls_max) / TURNS).max(1);
            let before = process.cpu().await?;
            for _ in 0..calls {
                let reply = process.invoke(world.event(target.function)?).await;
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
    world: &World,
    authority: &Authority,
    logs: &Path,
    figures: &mut Figures,
) -> Result<(), Failure> {
    let (process, start) = Process::start(&target.program, authority, logs).await?;
    let reply = process.invoke(world.event(target.function)?).await?;
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
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(median(&values), Duration::from_millis(51));
        assert_eq!(percentile(&values, 99), Duration::from_millis(100));
        assert_eq!(median(&values[..1]), Duration::from_millis(100));
        assert_eq!(median(&[]), Duration::ZERO);
    }
}
