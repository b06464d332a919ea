//! All that a run consists of.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use kernel::{SignedDuration, Timestamp};
use local::template::{Event, Template};
use payments::events::process_payments;
use runtime::{Clock, Host};
use tokio::time::Instant;

use crate::{
    Run,
    busy::Busy,
    cloud::{Database, Queues, Service},
    dice::Dice,
    faults::{Faults, Rates},
    functions::{Failure, Functions, Trace},
    is_simulated,
    ledger::Ledger,
    sabotage::Sabotage,
    story::Story,
    weather::{Dependency, Forecast},
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

/// A mail that SES accepted.
#[derive(Clone, Debug)]
pub struct Mail {
    /// To whom.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// What it is about: the correlation id of what it follows from.
    pub about: String,
    /// Whether a fault kept the sender from recording that it was sent. SES knows no
    /// idempotency: only then may it come again.
    pub excused: bool,
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
    /// Mails that SES accepted.
    pub mails: Mutex<Vec<Mail>>,
    /// The template.
    pub template: Arc<Template>,
    /// What is under way.
    pub busy: Busy,
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
    pub fn deploy(
        template: &Arc<Template>,
        run: &Run,
        rates: Rates,
        forecast: Forecast,
    ) -> Result<Self, String> {
        let Run {
            seed,
            told,
            sabotage,
            ..
        } = *run;
        let begun = Instant::now();
        let clock = Clock::new(move || {
            let elapsed = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
            Timestamp::from_millisecond(BEGINNING_SECONDS * 1000 + elapsed)
                .unwrap_or(Timestamp::UNIX_EPOCH)
        });
        let database = Database::create(&template.tables, clock.clone(), forecast.limits)
            .map_err(|error| error.to_string())?;
        let dice = Dice::new(seed, purpose::FAULTS);
        let faults = Arc::new(Faults::new(rates, forecast, dice));
        let busy = Busy::default();
        let dice = Dice::new(seed, purpose::LEDGER);
        let ledger = Ledger::new(faults.clone(), dice, sabotage, busy.clone());
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
            busy,
            queues: Queues::create(template)?,
            mails: Mutex::default(),
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

    /// Whether a function that is simulated consumes a queue.
    pub fn is_consumed(&self, queue: &str) -> bool {
        let functions = self.template.functions.iter();
        let mut simulated = functions.filter(|function| is_simulated(&function.code_name));
        simulated.any(|function| {
            let mut events = function.events.iter();
            events.any(|event| matches!(event, Event::Queue(event) if event.queue == queue))
        })
    }

    /// Adds to the story.
    pub fn tell(&self, line: fmt::Arguments<'_>) {
        self.story.tell(self.now(), line);
    }

    /// Adds to the story what only its readers want to know.
    pub fn detail(&self, line: impl FnOnce() -> String) {
        if self.story.is_told() {
            self.story.detail(self.now(), &line());
        }
    }

    /// A machine for one instance of a function.
    pub fn new_host(&self) -> Host {
        let number = self.hosts.fetch_add(1, Ordering::SeqCst);
        let skew = self.faults.forecast().skew;
        let off = match skew {
            0 => 0,
            skew => {
                i64::try_from(self.order.below(2 * skew)).unwrap_or_default()
                    - i64::try_from(skew).unwrap_or_default()
            }
        };
        let off = SignedDuration::from_millis(off);
        let true_clock = self.clock.clone();
        let clock = Clock::new(move || {
            let now = true_clock.now();
            now.checked_add(off).unwrap_or(now)
        });
        Host::new(clock, Dice::random(self.seed, number))
    }

    /// Invokes a function by its name in code. It goes on when the caller goes away.
    ///
    /// # Errors
    /// When it fails, times out or dies.
    pub async fn invoke(self: &Arc<Self>, name: &str, payload: String) -> Result<String, Failure> {
        Ok(self.invoke_traced(name, payload).await?.0)
    }

    /// Invokes a function, and tells whether it found nothing to do.
    ///
    /// # Errors
    /// When it fails, times out or dies.
    pub async fn invoke_traced(
        self: &Arc<Self>,
        name: &str,
        payload: String,
    ) -> Result<(String, Trace), Failure> {
        let (world, name) = (self.clone(), name.to_owned());
        let invocation = tokio::spawn(async move {
            let _busy = world.busy.begin();
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
                self.send(queue.clone(), message.to_owned(), after, Duration::ZERO);
            }
        }
    }

    /// Puts a message into a queue after a while; it is hidden for `delay` from then on.
    pub fn send(self: &Arc<Self>, queue: String, body: String, after: Duration, delay: Duration) {
        let (world, busy) = (self.clone(), self.busy.begin());
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            // SNS tries again until SQS takes the message.
            while let Some(up) = world.faults.down_until(Dependency::Aws(Service::Sqs)) {
                tokio::time::sleep_until(up).await;
            }
            world.queues.put_later(&queue, body, delay);
            drop(busy);
        });
    }
}
