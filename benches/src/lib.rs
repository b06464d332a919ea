//! What `make bench` runs: measures the release binaries, their floors and their peers
//! in Node through one runtime API, in turns, and writes docs/performance.md.
//!
//! `QUICK=1` does little of everything and writes into target/bench: it shows
//! that the harness works, that no invocation failed, and how many connections
//! a function opens. `BOOTSTRAPS=dir` measures `dir/<function>/bootstrap`.

#![expect(
    clippy::float_arithmetic,
    reason = "figures for people: nothing is decided by them, and no money is moved"
)]

mod chart;
mod cpu;
mod front;
mod load;
mod machine;
mod measure;
mod process;
mod report;
mod runtime_api;
mod sizing;
mod targets;
pub mod timing;
mod welch;
mod world;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use runtime::Environment;

use crate::{front::Authority, measure::Effort, report::Results, targets::Programs, world::World};

/// Anything that ends the run.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Cold starts of each; odd, so that the median is one of them.
const COLD_STARTS: usize = 15;
const COLD_STARTS_QUICK: usize = 3;
const CALLS_QUICK: usize = 20;
/// Requests under load.
const REQUESTS: usize = 5_000;
const REQUESTS_QUICK: usize = 100;
/// Hashes with each set of parameters.
const HASHES: usize = 15;
const HASHES_QUICK: usize = 1;

/// Measures everything, and writes the page.
///
/// # Errors
/// When something cannot be run, an invocation fails, or a function opens
/// more connections than it should.
pub async fn run(environment: &Environment) -> Result<(), Failure> {
    let root = root()?;
    let quick = environment.get("QUICK").is_some();
    // Beside the binaries of this very build.
    let release = std::env::current_exe()?;
    let release = release.parent().ok_or("the binary stands nowhere")?;
    let bootstraps = environment.get("BOOTSTRAPS").map(PathBuf::from);
    let work = root.join("target/bench");
    std::fs::create_dir_all(&work)?;
    let authority = Authority::create(&work)?;
    say("starting the shop and filling it");
    let world = World::start(root).await?;
    let programs = Programs {
        world: &world,
        root,
        release,
        bootstraps: bootstraps.as_deref(),
        path: environment.get("PATH").unwrap_or_default(),
    };
    let effort = match quick {
        true => Effort {
            cold_starts: COLD_STARTS_QUICK,
            calls_max: CALLS_QUICK,
        },
        false => Effort {
            cold_starts: COLD_STARTS,
            calls_max: usize::MAX,
        },
    };

    let targets = programs.targets()?;
    say("cold starts and warm calls, in turns");
    let figures = measure::measure(&targets, &world, &authority, &work, effort).await?;
    let mut measured: Vec<_> = targets.into_iter().zip(figures).collect();
    // Last and alone: an order sets the whole shop to work.
    say("orders");
    let orders = vec![programs.place_order()?];
    let figures = measure::measure(&orders, &world, &authority, &work, effort).await?;
    measured.extend(orders.into_iter().zip(figures));
    check(&measured)?;

    say("under load");
    let requests = if quick { REQUESTS_QUICK } else { REQUESTS };
    let mut loads = Vec::new();
    for program in [
        programs.function("get-product")?,
        programs.node("get-product")?,
    ] {
        let load = load::functions(&program, &world, &authority, &work, requests).await;
        loads.push(load.map_err(|error| format!("{} under load: {error}", program.name))?);
    }
    let express = programs.express()?;
    loads.push(load::server(&express, &world, &authority, &work, requests).await?);
    say("password hashes");
    let sizings = sizing::measure(if quick { HASHES_QUICK } else { HASHES })?;

    let results = Results {
        machine: machine::describe(root, quick)?,
        effort,
        measured,
        loads,
        sizings,
        log_in_memory_mb: world.memory_mb("log-in").unwrap_or_default(),
    };
    report::write(&results, root, &work, quick)?;
    world.stop().await;
    Ok(())
}

/// Runs the floors alone, from `binaries`, a few times through the whole
/// harness; gives for each its name and its connections to the runtime API and
/// to DynamoDB.
///
/// # Errors
/// When an invocation fails.
pub async fn smoke(
    binaries: &Path,
    work: &Path,
) -> Result<Vec<(&'static str, usize, usize)>, Failure> {
    let root = root()?;
    let authority = Authority::create(work)?;
    let world = World::start(root).await?;
    let programs = Programs {
        world: &world,
        root,
        release: binaries,
        bootstraps: None,
        path: "",
    };
    let effort = Effort {
        cold_starts: 1,
        calls_max: CALLS_QUICK,
    };
    let floors = programs.floors()?;
    let figures = measure::measure(&floors, &world, &authority, work, effort).await?;
    world.stop().await;
    let connections = |(target, figures): (measure::Target, measure::Figures)| {
        let (runtime_api, dynamodb) = figures.connections;
        (target.program.name, runtime_api, dynamodb)
    };
    Ok(floors.into_iter().zip(figures).map(connections).collect())
}

/// The repository.
fn root() -> Result<&'static Path, Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    Ok(root.ok_or("the crate stands nowhere")?)
}

/// What holds on every machine, however busy: one connection to the runtime
/// API and one to DynamoDB, and nothing failed (or we would not be here).
fn check(measured: &[(measure::Target, measure::Figures)]) -> Result<(), Failure> {
    for (target, figures) in measured {
        let expected = match target.program.name {
            "floor" => (1, 0),
            name if name.starts_with("Node") => continue,
            _ => (1, 1),
        };
        if figures.connections != expected {
            let (name, found) = (target.program.name, figures.connections);
            return Err(format!("{name} opened {found:?} connections, not {expected:?}").into());
        }
    }
    Ok(())
}

/// Tells whoever waits what is being done.
fn say(line: &str) {
    // Nobody listens when the terminal is gone; the work goes on.
    let _ = writeln!(std::io::stdout(), "{line}");
}
