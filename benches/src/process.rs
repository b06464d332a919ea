//! One environment of a function: its process, its runtime API and its fronts,
//! and what it has used of the machine.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    ops::Range,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde_json::Value;

use crate::{
    Failure,
    cpu::CpuClock,
    front::{Authority, Front},
    runtime_api::{Reply, RuntimeApi},
};

/// What a process does after its last message belongs to what it did before;
/// then Lambda freezes it. So long is waited before its clock is read.
const SETTLE: Duration = Duration::from_millis(2);

/// What is to be run.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) command: Vec<PathBuf>,
    pub(crate) environment: BTreeMap<String, String>,
}

/// A process that has been started.
pub(crate) struct Process {
    child: Child,
    clock: CpuClock,
    api: RuntimeApi,
    fronts: BTreeMap<String, Front>,
}

/// What a process had used when it asked for its first invocation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

impl Process {
    /// Starts the program, and waits until it asks for an invocation.
    pub(crate) async fn start(
        program: &Program,
        authority: &Authority,
        logs: &Path,
    ) -> Result<(Self, Start), Failure> {
        let started = Instant::now();
        let (process, spawned) = Self::spawn(program, authority, logs).await?;
        process.api.asked(1).await?;
        let wall = started.elapsed().saturating_sub(spawned);
        let cpu = process.cpu().await?;
        Ok((process, Start { cpu, wall }))
    }

    /// Starts the program; also gives how long it took to prepare what is
    /// around it. What it logs goes into a file in `logs`.
    pub(crate) async fn spawn(
        program: &Program,
        authority: &Authority,
        logs: &Path,
    ) -> Result<(Self, Duration), Failure> {
        let started = Instant::now();
        let api = RuntimeApi::start().await?;
        let (mut environment, mut fronts) = (BTreeMap::new(), BTreeMap::new());
        for (name, value) in &program.environment {
            if !name.starts_with("AWS_ENDPOINT_URL") {
                environment.insert(name.clone(), value.clone());
                continue;
            }
            let front = Front::start(authority, value).await?;
            environment.insert(name.clone(), front.url.clone());
            fronts.insert(name.clone(), front);
        }
        let log = logs.join(format!("{}.log", program.name));
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let (path, arguments) = program.command.split_first().ok_or("no command")?;
        let mut command = Command::new(path);
        command
            .args(arguments)
            .env_clear()
            .envs(environment)
            .env("AWS_LAMBDA_RUNTIME_API", &api.address)
            .env("SSL_CERT_FILE", &authority.file)
            .env("NODE_EXTRA_CA_CERTS", &authority.file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let prepared = started.elapsed();
        let child = command
            .spawn()
            .map_err(|error| format!("{} cannot be run: {error}", path.display()))?;
        let clock = CpuClock::of(child.id());
        let process = Self {
            child,
            clock,
            api,
            fronts,
        };
        Ok((process, prepared))
    }

    /// Invokes the function; anything but success is a failure.
    pub(crate) async fn invoke(&self, payload: Bytes) -> Result<Reply, Failure> {
        self.invoke_for(payload, 200..300).await
    }

    /// Invokes the function; anything but a reply with one of these statuses is
    /// a failure.
    pub(crate) async fn invoke_for(
        &self,
        payload: Bytes,
        statuses: Range<u64>,
    ) -> Result<Reply, Failure> {
        let asked = self.api.asked_so_far();
        let reply = self.api.invoke(payload).await?;
        let value: Value = serde_json::from_slice(&reply.body)?;
        let status = value["statusCode"].as_u64();
        if status.is_none_or(|status| !statuses.contains(&status)) {
            return Err(format!("the status is not in {statuses:?}: {value}").into());
        }
        self.api.asked(asked + 1).await?;
        Ok(reply)
    }

    /// Processor time used so far by all of its threads.
    pub(crate) async fn cpu(&self) -> Result<Duration, Failure> {
        tokio::time::sleep(SETTLE).await;
        self.clock.read()
    }

    /// Its resident memory now (`VmRSS`) or at its height (`VmHWM`), in KiB.
    pub(crate) fn memory_kib(&self, field: &str) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let value = status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
            .and_then(|rest| rest.split_whitespace().next())
            .ok_or("the process has ended")?;
        Ok(value.parse()?)
    }

    /// Connections that it has opened: to the runtime API, and to a service by
    /// the variable of its address.
    pub(crate) fn connections(&self, service: &str) -> (usize, usize) {
        let front = self.fronts.get(service);
        (self.api.connections(), front.map_or(0, Front::connections))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
