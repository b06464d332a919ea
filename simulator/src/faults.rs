//! What goes wrong, how often, and until when.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    cloud::{Behind, LAG_MAX, Service},
    dice::Dice,
    weather::{Dependency, Forecast},
};

/// How often each fault happens, in a thousand opportunities.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// A call is refused: throttled, or an error of the service.
    pub refused: u32,
    /// A call takes effect, but its reply gets lost.
    pub reply_lost: u32,
    /// A call never returns; half of them take effect.
    pub hangs: u32,
    /// The function dies before a call takes effect, or right after.
    pub crashes: u32,
    /// A message is delivered twice.
    pub duplicates: u32,
    /// A message is delivered late, after others.
    pub delays: u32,
    /// The payment provider does not answer.
    pub provider: u32,
    /// A stream gives up a batch.
    pub given_up: u32,
}

impl Rates {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        refused: 0,
        reply_lost: 0,
        hangs: 0,
        crashes: 0,
        duplicates: 0,
        delays: 0,
        provider: 0,
        given_up: 0,
    };

    /// A little of everything, and many messages twice: what safeguards are for.
    pub const ROUGH: Self = Self {
        refused: 10,
        reply_lost: 30,
        hangs: 3,
        crashes: 15,
        duplicates: 400,
        delays: 60,
        provider: 150,
        given_up: 100,
    };

    /// A run's rates: some runs are calm, some storms of one kind, some of all.
    pub fn of(dice: &Dice) -> Self {
        let rate = |most: u64| {
            let rate = match dice.below(3) {
                0 => 0,
                1 => dice.below(most / 5 + 1),
                _ => dice.below(most + 1),
            };
            u32::try_from(rate).unwrap_or_default()
        };
        Self {
            refused: rate(80),
            reply_lost: rate(80),
            hangs: rate(20),
            crashes: rate(50),
            duplicates: rate(200),
            delays: rate(200),
            provider: rate(200),
            given_up: rate(50),
        }
    }
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is answered.
    None,
    /// It is refused without effect.
    Throttled,
    /// It fails without effect.
    Failed,
    /// It takes effect, and its reply is lost.
    ReplyLost,
    /// It never returns and has no effect.
    Hangs,
    /// It takes effect and never returns.
    HangsAfter,
    /// The function dies before it has an effect.
    CrashBefore,
    /// The function dies after it has taken effect.
    CrashAfter,
}

/// Decides what goes wrong, and counts it.
#[derive(Debug)]
pub struct Faults {
    rates: Rates,
    forecast: Forecast,
    dice: Dice,
    over: AtomicBool,
    began: Mutex<Option<Instant>>,
    /// How long a transaction takes, in microseconds; 0 for as long as any call.
    transaction: AtomicU64,
    injected: Mutex<BTreeMap<&'static str, u64>>,
}

/// How late a delayed message may come.
const DELAY_MILLIS_MAX: u64 = 120_000;
/// How late a message comes whose goods are about to be given up: they are held for 15
/// minutes.
const LATE_MILLIS_MIN: u64 = 13 * 60_000;
const LATE_MILLIS: u64 = 3 * 60_000;
/// How late a batch of a stream may come.
const SHARD_LAG_MILLIS_MAX: u64 = 240_000;
/// Of a thousand calls of who is down, how many hang rather than fail.
const HANGS_WHEN_DOWN: u32 = 200;
/// How late any message may come.
const TRANSIT_MAX: Duration = Duration::from_millis(400);

impl Faults {
    /// Faults at these rates.
    pub fn new(rates: Rates, forecast: Forecast, dice: Dice) -> Self {
        Self {
            rates,
            forecast,
            dice,
            over: AtomicBool::new(true),
            began: Mutex::default(),
            transaction: AtomicU64::new(0),
            injected: Mutex::default(),
        }
    }

    /// From now on things go wrong.
    pub fn begin(&self) {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.over.store(false, Ordering::SeqCst);
    }

    /// From now on nothing goes wrong, except that who is down stays down.
    pub fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// What this run has of each kind of trouble.
    pub fn forecast(&self) -> &Forecast {
        &self.forecast
    }

    /// When nobody is down any more.
    pub fn clears(&self) -> Option<Instant> {
        let began = *self.began.lock().unwrap_or_else(PoisonError::into_inner);
        Some(began? + self.forecast.clears())
    }

    /// Until when a dependency is down, if it is.
    pub fn down_until(&self, dependency: Dependency) -> Option<Instant> {
        if self.forecast.outages.is_empty() {
            return None;
        }
        let began = (*self.began.lock().unwrap_or_else(PoisonError::into_inner))?;
        let elapsed = began.elapsed();
        let outages = self.forecast.outages.iter();
        let outages = outages.filter(|outage| outage.of == dependency);
        let current = outages.filter(|one| one.from <= elapsed && elapsed < one.until);
        Some(began + current.map(|outage| outage.until).max()?)
    }

    /// How often each fault was injected.
    pub fn injected(&self) -> BTreeMap<&'static str, u64> {
        let injected = self.injected.lock().unwrap_or_else(PoisonError::into_inner);
        injected.clone()
    }

    fn draw(&self, per_mille: u32) -> bool {
        per_mille > 0 && !self.over.load(Ordering::SeqCst) && self.dice.happens(per_mille)
    }

    /// Counts an injected fault.
    pub fn count(&self, fault: &'static str) {
        let mut injected = self.injected.lock().unwrap_or_else(PoisonError::into_inner);
        *injected.entry(fault).or_default() += 1;
    }

    /// What happens to the next call of a service.
    pub fn of_call(&self, service: Service) -> Fault {
        let half = |one, other| if self.dice.happens(500) { one } else { other };
        if self.down_until(Dependency::Aws(service)).is_some() {
            self.count("call of a service that was down");
            return match self.dice.happens(HANGS_WHEN_DOWN) {
                true => Fault::Hangs,
                false => Fault::Failed,
            };
        }
        let (fault, name) = if self.draw(self.rates.crashes) {
            let fault = half(Fault::CrashBefore, Fault::CrashAfter);
            (fault, "function died at a call")
        } else if self.draw(self.rates.refused) {
            (half(Fault::Throttled, Fault::Failed), "call refused")
        } else if self.draw(self.rates.reply_lost) {
            (Fault::ReplyLost, "reply lost after the effect")
        } else if self.draw(self.rates.hangs) {
            (half(Fault::Hangs, Fault::HangsAfter), "call hung")
        } else {
            return Fault::None;
        };
        self.count(name);
        fault
    }

    /// Whether a stream gives up its next batch, as it does when records grow too old.
    pub fn gives_up(&self) -> bool {
        let gives_up = self.draw(self.rates.given_up);
        if gives_up {
            self.count("stream batch given up");
        }
        gives_up
    }

    /// How far behind the replica is that answers the next read, if it is.
    pub fn lag(&self) -> Option<Behind> {
        self.draw(self.forecast.lag).then(|| {
            self.count("read answered from the past");
            Behind(self.dice.delay(LAG_MAX))
        })
    }

    /// How late a batch of a stream comes because its shard is behind.
    pub fn shard_lag(&self) -> Duration {
        if !self.draw(self.forecast.slow_shards) {
            return Duration::ZERO;
        }
        self.count("shard of a stream behind by minutes");
        Duration::from_millis(self.dice.below(SHARD_LAG_MILLIS_MAX))
    }

    /// What happens to the next call of the payment provider.
    pub fn of_provider(&self) -> Fault {
        if self.down_until(Dependency::Provider).is_some() {
            self.count("payment operation while the provider was down");
            return match self.dice.happens(HANGS_WHEN_DOWN) {
                true => Fault::Hangs,
                false => Fault::Failed,
            };
        }
        let fault = if self.draw(self.rates.provider) {
            match self.dice.below(4) {
                0 => Fault::Failed,
                1 => Fault::ReplyLost,
                2 => Fault::HangsAfter,
                _ => Fault::Hangs,
            }
        } else {
            return Fault::None;
        };
        self.count(match fault {
            Fault::HangsAfter => "payment operation landed late",
            _ => "payment operation without an answer",
        });
        fault
    }

    /// Whether a client never gets the answer that a function has given.
    pub fn loses_answer(&self) -> bool {
        let loses = self.draw(self.rates.reply_lost);
        if loses {
            self.count("answer to a client lost");
        }
        loses
    }

    /// Whether SNS refuses one message of a batch that it accepts otherwise.
    pub fn refuses_entry(&self) -> bool {
        let refuses = self.draw(self.rates.refused);
        if refuses {
            self.count("message of a batch refused");
        }
        refuses
    }

    /// When the copies of a message arrive: one, or two.
    pub fn deliveries(&self) -> Vec<Duration> {
        let mut deliveries = vec![self.transit()];
        if self.draw(self.rates.duplicates) {
            self.count("message delivered twice");
            let again = match self.dice.happens(500) {
                // At once, so that both are worked on at the same time.
                true => deliveries[0] + self.latency(),
                false => self.transit(),
            };
            deliveries.push(again);
        }
        deliveries
    }

    /// How long something is under way.
    pub fn transit(&self) -> Duration {
        if self.draw(self.forecast.late) {
            self.count("message as late as its goods are held");
            return Duration::from_millis(LATE_MILLIS_MIN + self.dice.below(LATE_MILLIS));
        }
        if self.draw(self.rates.delays) {
            self.count("message delayed");
            return Duration::from_millis(self.dice.below(DELAY_MILLIS_MAX));
        }
        self.dice.delay(TRANSIT_MAX)
    }

    /// How long a transaction keeps its items.
    pub fn transaction(&self) -> Duration {
        match self.transaction.load(Ordering::SeqCst) {
            0 => self.latency(),
            fixed => Duration::from_micros(fixed),
        }
    }

    /// Sets how long every transaction keeps its items from now on.
    pub fn transactions_take(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.transaction.store(micros, Ordering::SeqCst);
    }

    /// How long a call takes, one way.
    pub fn latency(&self) -> Duration {
        Duration::from_micros(500 + self.dice.below(4_500))
    }
}
