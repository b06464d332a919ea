//! Load tests: clients that send the next request as soon as they are answered.
//!
//! Each client of a function has its own execution environment, as in Lambda: it
//! passes an event through the runtime API and waits for the response. The
//! clients of the Express server use HTTP with a connection each. The harness
//! handles two exchanges per request for a function and one for the server, on
//! the same processors, so the throughput of functions is understated. Processor
//! time per request is that of the measured processes alone.

use std::{
    net::{Ipv4Addr, TcpListener},
    time::Duration,
};

use futures_util::future::try_join_all;
use shop_client::eventually;

use crate::{
    Error, clock,
    measure::percentile,
    process::{Process, Program, Setup},
    shop::SampleShop,
};

/// Concurrent clients.
pub(crate) const CLIENTS: usize = 10;
/// Unmeasured requests of each client of the server.
const WARM_UP: usize = 10;

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

/// Sends `requests` product reads through one function.
pub(crate) async fn functions(
    program: &Program,
    shop: &SampleShop,
    setup: &Setup<'_>,
    requests: usize,
) -> Result<Load, Error> {
    let start = (0..CLIENTS).map(|_| Process::start(program, setup));
    let started = try_join_all(start).await?.into_iter();
    let processes: Vec<Process> = started.map(|(process, _)| process).collect();
    let read = async |client: usize| {
        let event = shop.event("get-product")?;
        processes[client].invoke(event).await.map(drop)
    };
    // The first call of an environment is measured elsewhere.
    try_join_all((0..CLIENTS).map(read)).await?;
    run(program.name, &processes, requests, read).await
}

/// Sends `requests` product reads to the Express server.
pub(crate) async fn server(
    program: &Program,
    shop: &SampleShop,
    setup: &Setup<'_>,
    requests: usize,
) -> Result<Load, Error> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let mut program = program.clone();
    let variables = &mut program.environment;
    variables.insert("PORT".to_owned(), port.to_string());
    let (process, _) = Process::spawn(&program, setup).await?;
    let url = format!("http://127.0.0.1:{port}/api/products/{}", shop.product_id);
    // Not `shop_client`: it parses every body, and the harness shares its
    // processors with the server.
    let client = reqwest::Client::builder().tcp_nodelay(true).build()?;
    let read = async |_| {
        let response = client.get(&url).send().await?.error_for_status()?;
        response.bytes().await?;
        Ok(())
    };
    eventually("the server answers", async || read(0).await.ok()).await;
    let warm_up = async |client| {
        for _ in 0..WARM_UP {
            read(client).await?;
        }
        Ok::<_, Error>(())
    };
    try_join_all((0..CLIENTS).map(warm_up)).await?;
    run(program.name, &[process], requests, read).await
}

/// Divides the requests among the clients and measures the processes meanwhile.
async fn run(
    name: &'static str,
    processes: &[Process],
    requests: usize,
    read: impl AsyncFn(usize) -> Result<(), Error>,
) -> Result<Load, Error> {
    let client = async |client: usize| {
        let mut durations = Vec::with_capacity(requests / CLIENTS);
        for _ in 0..requests / CLIENTS {
            let started = clock::now();
            read(client).await?;
            durations.push(started.elapsed());
        }
        Ok::<_, Error>(durations)
    };
    let cpu_before = cpu_of(processes).await?;
    let started = clock::now();
    let durations = try_join_all((0..CLIENTS).map(client)).await?.concat();
    let took = started.elapsed();
    let cpu = cpu_of(processes).await?.saturating_sub(cpu_before);
    let memory: Result<Vec<u64>, Error> = processes
        .iter()
        .map(|process| process.memory_kib("VmRSS"))
        .collect();
    let requests = u32::try_from(durations.len())?;
    let millis = u64::try_from(took.as_millis())?.max(1);
    Ok(Load {
        name,
        processes: processes.len(),
        requests_per_second: u64::from(requests) * 1_000 / millis,
        p50: percentile(&durations, 50),
        p99: percentile(&durations, 99),
        cpu_per_request: cpu / requests.max(1),
        memory_kib: memory?.into_iter().sum(),
    })
}

async fn cpu_of(processes: &[Process]) -> Result<Duration, Error> {
    let times = try_join_all(processes.iter().map(Process::cpu)).await?;
    Ok(times.into_iter().sum())
}
