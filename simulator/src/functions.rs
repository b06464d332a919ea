//! The functions as Lambda runs them: instances that handle one invocation at a time,
//! start when there are too few, and die.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use lambda_runtime::{Context, LambdaEvent};
use local::template;
use runtime::{Environment, Function, Handler};
use serde_json::value::RawValue;
use tokio::sync::Notify;

use crate::{cloud::Transport, world::World};

/// Why an invocation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no such function.
    Unknown,
    /// It died.
    Died,
    /// It took too long.
    TimedOut,
    /// It returned an error.
    Error(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown function"),
            Self::Died => f.write_str("Runtime.ExitError"),
            Self::TimedOut => f.write_str("Sandbox.Timedout"),
            Self::Error(error) => f.write_str(error),
        }
    }
}

/// What an invocation has found to do, as far as its calls tell.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// It has done something, or read something that there was.
    pub worked: bool,
    /// How often the tables that it looked into had changed before.
    pub tables: BTreeMap<String, u64>,
    /// The mails that it has sent, by their place in the list of all.
    pub mails: Vec<usize>,
    /// Payments that it has recorded, by table and key; only of interest to sabotage.
    pub recorded: Vec<(String, (String, String))>,
}

/// A process that runs a function.
#[derive(Debug)]
pub struct Instance {
    /// The function.
    pub name: &'static str,
    started: AtomicBool,
    died: Notify,
    trace: Mutex<Trace>,
}

impl Instance {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            started: AtomicBool::new(false),
            died: Notify::new(),
            trace: Mutex::default(),
        }
    }

    /// What the current invocation has found to do.
    pub fn trace(&self) -> MutexGuard<'_, Trace> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it accepts invocations; until then it is spared.
    pub fn has_started(&self) -> bool {
        self.started.load(Ordering::SeqCst)
    }

    /// Dies: whoever waits for it waits for ever.
    pub async fn die<T>(&self) -> T {
        self.died.notify_one();
        std::future::pending().await
    }
}

struct Running {
    instance: Arc<Instance>,
    handler: Handler,
}

struct Deployed {
    code: Function,
    spec: template::Function,
    idle: Mutex<Vec<Running>>,
}

/// All functions, by their names in code.
pub struct Functions(BTreeMap<&'static str, Deployed>);

impl Functions {
    /// The functions of a template that run in a simulation.
    pub fn deploy(code: Vec<Function>, specs: &[template::Function]) -> Self {
        let deployed = code.into_iter().filter_map(|code| {
            let spec = specs.iter().find(|spec| spec.code_name == code.name)?;
            let deployed = Deployed {
                spec: spec.clone(),
                idle: Mutex::default(),
                code,
            };
            Some((deployed.code.name, deployed))
        });
        Self(deployed.collect())
    }

    /// The name in code of the function that Lambda's API finds under a name.
    pub fn called(&self, name: &str) -> Option<&'static str> {
        let mut all = self.0.values();
        let found = all.find(|deployed| deployed.spec.is_called(name))?;
        Some(found.code.name)
    }

    /// Invokes a function in an instance that is idle, or a new one.
    ///
    /// # Errors
    /// When it fails, times out or dies.
    pub async fn invoke(
        &self,
        world: &Arc<World>,
        name: &str,
        payload: String,
    ) -> Result<(String, Trace), Failure> {
        let deployed = self.0.get(name).ok_or(Failure::Unknown)?;
        let payload =
            RawValue::from_string(payload).map_err(|error| Failure::Error(error.to_string()))?;
        let idle = deployed
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let running = match idle {
            Some(running) => running,
            None => start(world, deployed).await?,
        };
        *running.instance.trace() = Trace::default();
        let mut context = Context::default();
        context.request_id = "simulated".to_owned();
        let handled = (running.handler)(LambdaEvent::new(payload, context));
        let outcome = tokio::select! {
            biased;
            () = running.instance.died.notified() => Err(Failure::Died),
            handled = tokio::time::timeout(deployed.spec.timeout, handled) => match handled {
                Err(_) => Err(Failure::TimedOut),
                Ok(handled) => Ok(handled),
            },
        };
        for (table, key) in running.instance.trace().recorded.drain(..) {
            world.database.forget_pending(&table, &key);
        }
        match outcome {
            Err(failure) => {
                world.tell(format_args!("{name}: {failure}"));
                Err(failure)
            }
            Ok(handled) => {
                let trace = running.instance.trace().clone();
                deployed
                    .idle
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(running);
                let reply = handled.map_err(|error| Failure::Error(error.to_string()))?;
                Ok((String::from(Box::<str>::from(reply)), trace))
            }
        }
    }
}

async fn start(world: &Arc<World>, deployed: &Deployed) -> Result<Running, Failure> {
    let instance = Arc::new(Instance::new(deployed.code.name));
    let transport = Transport::client(Arc::downgrade(world), instance.clone());
    let environment = environment(&deployed.spec);
    let host = world.new_host().with_transport(transport);
    let handler = deployed.code.start(environment.on(host)).await;
    let handler = handler.map_err(|error| Failure::Error(error.to_string()))?;
    instance.started.store(true, Ordering::SeqCst);
    Ok(Running { instance, handler })
}

fn environment(spec: &template::Function) -> Environment {
    let declared = spec.environment.clone().into_iter();
    let set = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "simulated"),
        ("AWS_SECRET_ACCESS_KEY", "simulated"),
        ("AWS_LAMBDA_FUNCTION_NAME", spec.function_name.as_str()),
    ];
    let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
    declared.chain(set).collect()
}
