//! One execution environment of a function: its process, runtime API and TLS
//! proxies, and the resources that it uses.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    ops::Range,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use serde_json::Value;

use crate::{
    Error, clock,
    cpu::CpuClock,
    runtime_api::{Reply, RuntimeApi},
    tls_proxy::{CertificateAuthority, TlsProxy},
};

/// What a process does just after its last message counts as part of the call;
/// later Lambda would freeze it. Its processor time is read after this delay.
const SETTLE: Duration = Duration::from_millis(2);

/// A program to run.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) command: Vec<PathBuf>,
    pub(crate) environment: BTreeMap<String, String>,
}

/// What all processes of a run share.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'a> {
    pub(crate) authority: &'a CertificateAuthority,
    /// The directory for the logs of the processes.
    pub(crate) logs: &'a Path,
}

/// A running process.
pub(crate) struct Process {
    child: Child,
    clock: CpuClock,
    api: RuntimeApi,
    proxies: BTreeMap<String, TlsProxy>,
}

/// The resources used until the first request for an invocation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

impl Process {
    /// Starts the program and waits until it asks for an invocation.
    pub(crate) async fn start(
        program: &Program,
        setup: &Setup<'_>,
    ) -> Result<(Self, Start), Error> {
        let started = clock::now();
        let (process, preparation) = Self::spawn(program, setup).await?;
        process.api.wait_for_request(1).await?;
        let wall = started.elapsed().saturating_sub(preparation);
        let cpu = process.cpu().await?;
        Ok((process, Start { cpu, wall }))
    }

    /// Starts the program; also returns how long it took to prepare the runtime
    /// API and the proxies.
    pub(crate) async fn spawn(
        program: &Program,
        setup: &Setup<'_>,
    ) -> Result<(Self, Duration), Error> {
        let started = clock::now();
        let api = RuntimeApi::start().await?;
        let (mut environment, mut proxies) = (BTreeMap::new(), BTreeMap::new());
        for (name, value) in &program.environment {
            if !name.starts_with("AWS_ENDPOINT_URL") {
                environment.insert(name.clone(), value.clone());
                continue;
            }
            let proxy = TlsProxy::start(setup.authority, value).await?;
            environment.insert(name.clone(), proxy.url.clone());
            proxies.insert(name.clone(), proxy);
        }
        let log = setup.logs.join(format!("{}.log", program.name));
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let (path, arguments) = program.command.split_first().ok_or("no command")?;
        let mut command = Command::new(path);
        command
            .args(arguments)
            .env_clear()
            .envs(environment)
            .env("AWS_LAMBDA_RUNTIME_API", &api.address)
            .env("SSL_CERT_FILE", &setup.authority.file)
            .env("NODE_EXTRA_CA_CERTS", &setup.authority.file)
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
            proxies,
        };
        Ok((process, prepared))
    }

    /// Invokes the function, which must succeed.
    pub(crate) async fn invoke(&self, payload: Bytes) -> Result<Reply, Error> {
        self.invoke_expecting(payload, 200..300).await
    }

    /// Invokes the function, whose response must have one of these statuses.
    pub(crate) async fn invoke_expecting(
        &self,
        payload: Bytes,
        statuses: Range<u64>,
    ) -> Result<Reply, Error> {
        let requests = self.api.requests();
        let reply = self.api.invoke(payload).await?;
        let value: Value = serde_json::from_slice(&reply.body)?;
        let status = value["statusCode"].as_u64();
        if status.is_none_or(|status| !statuses.contains(&status)) {
            return Err(format!("the status is not in {statuses:?}: {value}").into());
        }
        self.api.wait_for_request(requests + 1).await?;
        Ok(reply)
    }

    /// The processor time that all of its threads have used so far.
    pub(crate) async fn cpu(&self) -> Result<Duration, Error> {
        tokio::time::sleep(SETTLE).await;
        self.clock.read()
    }

    /// Its resident memory (`VmRSS`) or the peak of it (`VmHWM`), in KiB.
    pub(crate) fn memory_kib(&self, field: &str) -> Result<u64, Error> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let value = status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
            .and_then(|rest| rest.split_whitespace().next())
            .ok_or("the process has ended")?;
        Ok(value.parse()?)
    }

    /// The connections that it has opened to the runtime API and to a service,
    /// which is identified by its endpoint variable.
    pub(crate) fn connections(&self, service: &str) -> (usize, usize) {
        let proxy = self.proxies.get(service);
        (
            self.api.connections(),
            proxy.map_or(0, TlsProxy::connections),
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have exited by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
