//! Benchmarks of the release binaries.

#![expect(
    clippy::float_arithmetic,
    reason = "figures for readers: no payment and no behaviour depends on them"
)]

mod clock;
mod cpu;
mod load;
mod machine;
mod measure;
mod process;
mod programs;
mod report;
mod runtime_api;
mod shop;
mod sizing;
pub mod timing;
mod tls_proxy;
mod welch;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use runtime::{Environment, log};

use crate::{
    measure::{Figures, Repetitions, Target},
    process::Setup,
    programs::Programs,
    report::Report,
    shop::SampleShop,
    tls_proxy::CertificateAuthority,
};

/// Anything that ends a run.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Cold starts of each program; odd, so that the median is a measured value.
const COLD_STARTS: usize = 15;
const COLD_STARTS_QUICK: usize = 3;
const CALLS_QUICK: usize = 20;
/// Requests of a load test.
const REQUESTS: usize = 5_000;
const REQUESTS_QUICK: usize = 100;
/// Hashes with each set of parameters.
const HASHES: usize = 15;
const HASHES_QUICK: usize = 1;

/// Runs a benchmark with the environment of the process; prints its error.
pub fn main(run: impl AsyncFnOnce(&Environment) -> Result<(), Error>) -> ExitCode {
    let environment = Environment::from_process();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = runtime
        .map_err(Error::from)
        .and_then(|runtime| runtime.block_on(run(&environment)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed, the exit code still tells.
            let _ = writeln!(
                std::io::stderr(),
                "failed: {}",
                log::error_chain(error.as_ref())
            );
            ExitCode::FAILURE
        }
    }
}

/// What `make bench` runs: measures the release binaries, their floors and their
/// peers in Node through one runtime API, and writes docs/performance.md.
///
/// `QUICK=1` repeats everything only a few times and writes to target/bench: it
/// shows that the harness works, that no invocation fails, and how many
/// connections a function opens. `BOOTSTRAPS=<directory>` measures
/// `<directory>/<function>/bootstrap`.
///
/// # Errors
/// If a program cannot be run, an invocation fails, or a function opens more
/// connections than it should.
pub async fn run(environment: &Environment) -> Result<(), Error> {
    let root = root()?;
    let quick = environment.get("QUICK").is_some();
    let work = work_directory(root, "bench")?;
    let authority = CertificateAuthority::create(&work)?;
    print("starting the shop and entering its data");
    let shop = SampleShop::start(root).await?;
    let programs = Programs::of_environment(environment, root, &shop)?;
    let setup = Setup {
        authority: &authority,
        logs: &work,
    };
    let repetitions = match quick {
        true => Repetitions {
            cold_starts: COLD_STARTS_QUICK,
            calls_max: CALLS_QUICK,
        },
        false => Repetitions {
            cold_starts: COLD_STARTS,
            calls_max: usize::MAX,
        },
    };

    let targets = programs.targets()?;
    print("cold starts and warm calls, interleaved");
    let figures = measure::measure(&targets, &shop, &setup, repetitions).await?;
    let mut measured: Vec<_> = targets.into_iter().zip(figures).collect();
    // Last and on its own, because an order keeps the whole shop busy.
    print("orders");
    let orders = vec![programs.place_order()?];
    let figures = measure::measure(&orders, &shop, &setup, repetitions).await?;
    measured.extend(orders.into_iter().zip(figures));
    check_connections(&measured)?;

    print("load tests");
    let requests = if quick { REQUESTS_QUICK } else { REQUESTS };
    let mut loads = Vec::new();
    for program in [
        programs.function("get-product")?,
        programs.node("get-product")?,
    ] {
        let load = load::functions(&program, &shop, &setup, requests).await;
        loads.push(load.map_err(|error| format!("{} under load: {error}", program.name))?);
    }
    let express = programs.express()?;
    loads.push(load::server(&express, &shop, &setup, requests).await?);
    print("password hashes");
    let sizings = sizing::measure(if quick { HASHES_QUICK } else { HASHES })?;

    let report = Report {
        machine: machine::describe(root, quick)?,
        repetitions,
        measured,
        loads,
        sizings,
        log_in_memory_mb: shop.memory_mb("log-in").unwrap_or_default(),
    };
    report.write(root, quick.then_some(&*work))?;
    shop.stop().await;
    Ok(())
}

/// Measures only the floors in `binaries`, a few times; returns their names and
/// their connections to the runtime API and to DynamoDB.
///
/// # Errors
/// If an invocation fails.
pub async fn smoke(
    binaries: &Path,
    work: &Path,
) -> Result<Vec<(&'static str, usize, usize)>, Error> {
    let root = root()?;
    let authority = CertificateAuthority::create(work)?;
    let shop = SampleShop::start(root).await?;
    let programs = Programs {
        shop: &shop,
        root,
        binaries: binaries.to_owned(),
        bootstraps: None,
        path: "",
    };
    let setup = Setup {
        authority: &authority,
        logs: work,
    };
    let repetitions = Repetitions {
        cold_starts: 1,
        calls_max: CALLS_QUICK,
    };
    let floors = programs.floors()?;
    let figures = measure::measure(&floors, &shop, &setup, repetitions).await?;
    shop.stop().await;
    let connections = |(target, figures): (Target, Figures)| {
        let (runtime_api, dynamodb) = figures.connections;
        (target.program.name, runtime_api, dynamodb)
    };
    Ok(floors.into_iter().zip(figures).map(connections).collect())
}

/// The repository.
fn root() -> Result<&'static Path, Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    Ok(root.ok_or("the crate has no parent directory")?)
}

/// A directory for logs and certificates.
fn work_directory(root: &Path, name: &str) -> Result<PathBuf, Error> {
    let directory = root.join("target").join(name);
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// Does not depend on the machine or its load: every function opens exactly one
/// connection to the runtime API and one to DynamoDB.
fn check_connections(measured: &[(Target, Figures)]) -> Result<(), Error> {
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

fn print(line: &str) {
    // The run goes on if standard output is closed.
    let _ = writeln!(std::io::stdout(), "{line}");
}
