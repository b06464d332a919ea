//! All that a run consists of.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use kernel::Timestamp;
use local::template::Template;
use payments::events::process_payments;
use runtime::{Clock, Host};
use tokio::{sync::watch, time::Instant};

use crate::{
    Run,
    cloud::{Database, Queues},
    dice::Dice,
    faults::{Faults, Rates},
    functions::{Failure, Functions},
    ledger::Ledger,
    sabotage::Sabotage,
    story::Story,
};

/// When every run begins: 2026-01-01T00:00:00Z.
const BEGINNING_SECONDS: i64 = 1_767_225_600;

/// Purposes of dice.
mod purpose {
    pub(super) const FAULTS: u64 = 1;
    pub(super) const ORDER: u64 = 2;
    pub(super) const LEDGER: u64 = 3;
    /// Those of instances follow.
    pub(super) const HOSTS: u64 = 1_000;
}

/// The simulated AWS account, with the shop deployed.
pub struct World {
    /// What goes wrong.
    pub faults: Arc<Faults>,
    /// What comes first.
    pub order: Dice,
    /// The safeguard that is taken away.
    pub sabotage: Sabotage,
    /// What has happened.
    pub story: Story,
    /// DynamoDB.
    pub database: Database,
    /// The payment provider.
    pub ledger: Ledger,
    /// SQS and SNS.
    pub queues: Queues,
    /// Mails that SES accepted: to whom, and the subject.
    pub mails: watch::Sender<Vec<(String, String)>>,
    /// The template.
    pub template: Template,
    functions: Functions,
    seed: u64,
    hosts: AtomicU64,
    clock: Clock,
}

impl World {
    /// Deploys the shop. Within a runtime whose time is paused.
    ///
    /// # Errors
    /// The reason why the template cannot be deployed.
    pub fn deploy(template: &Template, run: &Run, rates: Rates) -> Result<Self, String> {
        let Run {
            seed,
            told,
            sabotage,
        } = *run;
        let begun = Instant::now();
        let clock = Clock::new(move || {
            let elapsed = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
            Timestamp::from_millisecond(BEGINNING_SECONDS * 1000 + elapsed)
                .unwrap_or(Timestamp::UNIX_EPOCH)
        });
        let database =
            Database::create(&template.tables, clock.clone()).map_err(|error| error.to_string())?;
        let faults = Arc::new(Faults::new(rates, Dice::new(seed, purpose::FAULTS)));
        let ledger = Ledger::new(faults.clone(), Dice::new(seed, purpose::LEDGER), sabotage);
        let mut code = local::registry::functions();
        let provider = ledger.clone();
        let paying = process_payments::function_with(move |_| Ok(Arc::new(provider.clone())));
        code.retain(|function| function.name != paying.name);
        code.push(paying);
        Ok(Self {
            faults,
            sabotage,
            ledger,
            order: Dice::new(seed, purpose::ORDER),
            story: Story::new(told),
            database,
            queues: Queues::create(template)?,
            mails: watch::Sender::new(Vec::new()),
            functions: Functions::deploy(code, &template.functions),
            template: template.clone(),
            seed,
            hosts: AtomicU64::new(purpose::HOSTS),
            clock,
        })
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Adds to the story.
    pub fn tell(&self, line: fmt::Arguments<'_>) {
        self.story.tell(self.now(), line);
    }

    /// A machine for one instance of a function.
    pub fn new_host(&self) -> Host {
        let number = self.hosts.fetch_add(1, Ordering::SeqCst);
        Host::new(self.clock.clone(), Dice::random(self.seed, number))
    }

    /// Invokes a function by its name in code. It goes on when the caller goes away.
    ///
    /// # Errors
    /// When it fails, times out or dies.
    pub async fn invoke(self: &Arc<Self>, name: &str, payload: String) -> Result<String, Failure> {
        let (world, name) = (self.clone(), name.to_owned());
        let invocation = tokio::spawn(async move {
            let functions = &world.functions;
            functions.invoke(&world, &name, payload).await
        });
        match invocation.await {
            Ok(outcome) => outcome,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Failure::Died),
            },
        }
    }

    /// Invokes a function by the name that Lambda knows it by.
    ///
    /// # Errors
    /// When there is none, or it fails, times out or dies.
    pub async fn invoke_named(
        self: &Arc<Self>,
        name: &str,
        payload: String,
    ) -> Result<String, Failure> {
        let code_name = self.functions.called(name).ok_or(Failure::Unknown)?;
        self.invoke(code_name, payload).await
    }

    /// Delivers a message to the queues of a topic: some day, and maybe twice.
    pub fn publish(self: &Arc<Self>, topic: &str, message: &str) {
        for queue in self.queues.subscribers(topic, message) {
            for after in self.faults.deliveries() {
                let (world, queue, body) = (self.clone(), queue.clone(), message.to_owned());
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    world.queues.put(&queue, body);
                });
            }
        }
    }
}
