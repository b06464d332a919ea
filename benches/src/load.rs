//! Under load: ten clients that ask as fast as they are answered.
//!
//! Each client of a function has an environment of its own, as Lambda would
//! give it: it hands an event over through the runtime API and waits for the
//! reply. The clients of the Express server ask over HTTP, one connection each.
//! Per request the harness has two exchanges for a function and one for the
//! server, on the same processors, so the functions' requests a second are
//! understated; processor time a request is the processes' own.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;

use crate::{
    Failure,
    front::Authority,
    measure::percentile,
    process::{Process, Program},
    world::World,
};

/// Clients at once.
pub(crate) const CLIENTS: usize = 10;
/// How long the Express server may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// What was measured under load.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) name: &'static str,
    pub(crate) processes: usize,
    pub(crate) requests_per_second: u64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) cpu_per_request: Duration,
    /// Of all processes together, at the end.
    pub(crate) memory_kib: u64,
}

/// Runs `requests` product reads through one function.
pub(crate) async fn functions(
    program: &Program,
    world: &World,
    authority: &Authority,
    logs: &Path,
    requests: usize,
) -> Result<Load, Failure> {
    let mut processes = Vec::new();
    for _ in 0..CLIENTS {
        let (process, _) = Process::start(program, authority, logs).await?;
        processes.push(process);
    }
    let each = requests / CLIENTS;
    let client = async |process: &Process| {
        let mut walls = Vec::with_capacity(each);
        for _ in 0..each {
            let started = Instant::now();
            process.invoke(world.event("get-product")?).await?;
            walls.push(started.elapsed());
        }
        Ok::<_, Failure>(walls)
    };
    // The first calls are not what is asked for here.
    try_join_all(
        processes
            .iter()
            .map(|process| async { process.invoke(world.event("get-product")?).await }),
    )
    .await?;
    let before = used(&processes).await?;
    let started = Instant::now();
    let walls = try_join_all(processes.iter().map(client)).await?.concat();
    load(program.name, &processes, before, started.elapsed(), &walls).await
}

/// Runs `requests` product reads through the Express server.
pub(crate) async fn server(
    program: &Program,
    world: &World,
    authority: &Authority,
    logs: &Path,
    requests: usize,
) -> Result<Load, Failure> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let mut program = program.clone();
    program
        .environment
        .insert("PORT".to_owned(), port.to_string());
    let (process, _) = Process::spawn(&program, authority, logs).await?;
    let url: Arc<str> = format!("http://127.0.0.1:{port}/api/products/{}", world.product_id).into();
    let client = reqwest::Client::builder().tcp_nodelay(true).build()?;
    let ask = async || {
        let response = client.get(&*url).send().await?.error_for_status()?;
        Ok::<_, Failure>(response.bytes().await?)
    };
    let started = Instant::now();
    while let Err(error) = ask().await {
        if started.elapsed() > START_TIMEOUT {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let each = requests / CLIENTS;
    let warm = async |_| {
        for _ in 0..10 {
            ask().await?;
        }
        Ok::<_, Failure>(())
    };
    try_join_all((0..CLIENTS).map(warm)).await?;
    let processes = [process];
    let before = used(&processes).await?;
    let client = async |_| {
        let mut walls = Vec::with_capacity(each);
        for _ in 0..each {
            let started = Instant::now();
            ask().await?;
            walls.push(started.elapsed());
        }
        Ok::<_, Failure>(walls)
    };
    let started = Instant::now();
    let walls = try_join_all((0..CLIENTS).map(client)).await?.concat();
    load(program.name, &processes, before, started.elapsed(), &walls).await
}

async fn used(processes: &[Process]) -> Result<Duration, Failure> {
    Ok(try_join_all(processes.iter().map(Process::cpu))
        .await?
        .into_iter()
        .sum())
}

async fn load(
    name: &'static str,
    processes: &[Process],
    before: Duration,
    took: Duration,
    walls: &[Duration],
) -> Result<Load, Failure> {
    let cpu = used(processes).await?.saturating_sub(before);
    let memory: Result<Vec<u64>, Failure> = processes
        .iter()
        .map(|process| process.memory_kib("VmRSS"))
        .collect();
    let requests = u32::try_from(walls.len())?;
    let millis = u64::try_from(took.as_millis())?.max(1);
    Ok(Load {
        name,
        processes: processes.len(),
        requests_per_second: u64::from(requests) * 1_000 / millis,
        p50: percentile(walls, 50),
        p99: percentile(walls, 99),
        cpu_per_request: cpu / requests.max(1),
        memory_kib: memory?.into_iter().sum(),
    })
}
