//! The weather of a run: which kinds of trouble there may be, and how much of each this
//! run has. A kind has a name, so that a run can be told to have more of them or fewer.

use std::time::Duration;

use crate::{
    cloud::{Limits, Service},
    dice::Dice,
};

/// A kind of trouble beyond calls, functions and messages that fail one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads and indexes of DynamoDB are behind.
    Lag,
    /// A partition key takes less than DynamoDB allows, so that few customers feel what
    /// many would.
    Hot,
    /// A shard of a stream is behind the others by minutes.
    SlowShards,
    /// The clocks of instances differ.
    Skew,
    /// A service of AWS is down for minutes.
    Outages,
    /// …for hours.
    LongOutages,
    /// The payment provider is down for minutes or hours.
    DeadProvider,
    /// Customers come back a day later.
    Returns,
    /// Staff change the stock while it is being sold.
    Staff,
    /// Messages come when the goods of their order are about to be given up.
    Late,
}

/// Kinds of trouble, under a name.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// The name.
    pub name: &'static str,
    kinds: &'static [Kind],
}

/// The longest outages of each kind.
const OUTAGE_MAX: Duration = Duration::from_secs(10 * 60);
const LONG_OUTAGE_MAX: Duration = Duration::from_secs(6 * 3600);
/// How much the clocks of two instances differ at most.
const SKEW_MILLIS_MAX: u64 = 3_000;
/// Write units that a partition key takes in a second when it takes few.
const HOT_WRITES_MIN: u64 = 8;
const HOT_WRITES_MAX: u64 = 60;
/// Read units for each write unit, as DynamoDB has them.
const READS_PER_WRITE: u64 = 3;

impl Weather {
    /// All there is. Hours in which nothing answers take a hundred times the calls of
    /// a quiet day, so it is not the default.
    pub const FULL: Self = Self {
        name: "full",
        kinds: &[
            Kind::Lag,
            Kind::Hot,
            Kind::SlowShards,
            Kind::Skew,
            Kind::Outages,
            Kind::LongOutages,
            Kind::DeadProvider,
            Kind::Returns,
            Kind::Staff,
            Kind::Late,
        ],
    };

    /// What `make simulate` has unless it is told otherwise.
    pub const DEFAULT: Self = Self {
        name: "default",
        kinds: &[
            Kind::Lag,
            Kind::Hot,
            Kind::SlowShards,
            Kind::Skew,
            Kind::Outages,
            Kind::Returns,
            Kind::Staff,
            Kind::Late,
        ],
    };

    /// No trouble but that of calls.
    pub const CALM: Self = Self {
        name: "calls",
        kinds: &[],
    };

    /// Messages that come when the goods of their order are about to be given up.
    pub const LATE: Self = Self::only("late", &[Kind::Late]);

    /// Every weather that has a name.
    pub const ALL: [Self; 13] = [
        Self::DEFAULT,
        Self::FULL,
        Self::CALM,
        Self::only("lag", &[Kind::Lag]),
        Self::only("hot", &[Kind::Hot]),
        Self::only("shards", &[Kind::SlowShards]),
        Self::only("skew", &[Kind::Skew]),
        Self::only("outages", &[Kind::Outages]),
        Self::only("long-outages", &[Kind::LongOutages]),
        Self::only("provider", &[Kind::DeadProvider]),
        Self::only("returns", &[Kind::Returns]),
        Self::only("staff", &[Kind::Staff]),
        Self::LATE,
    ];

    const fn only(name: &'static str, kinds: &'static [Kind]) -> Self {
        Self { name, kinds }
    }

    /// The weather with a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|weather| weather.name == name)
    }

    /// Whether there may be trouble of a kind.
    pub fn has(self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }
}

/// Somebody whom functions depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependency {
    /// A service of AWS.
    Aws(Service),
    /// The payment provider.
    Provider,
}

/// A time in which a dependency does not answer, from the first fault of a run on.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    /// Who.
    pub of: Dependency,
    /// When it begins.
    pub from: Duration,
    /// When it is over.
    pub until: Duration,
}

/// How much of each kind of trouble one run has.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// Of a thousand reads that need not be consistent, how many are answered late.
    pub lag: u32,
    /// What a partition key takes.
    pub limits: Limits,
    /// The shards of each stream.
    pub shards: usize,
    /// Of a thousand batches of a stream, how many come minutes late.
    pub slow_shards: u32,
    /// How many milliseconds an instance's clock is off at most, either way.
    pub skew: u64,
    /// Who is down, and when.
    pub outages: Vec<Outage>,
    /// Of a thousand customers, how many come back a day later.
    pub returns: u32,
    /// How many changes of the stock there are.
    pub adjustments: u64,
    /// Of a thousand messages, how many come when their goods are about to be given up.
    pub late: u32,
}

impl Forecast {
    /// What a run has; each kind is missing in a third of the runs.
    pub fn of(weather: Weather, dice: &Dice, within: Duration) -> Self {
        let within = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        // Drawn whatever the weather is, so that a seed has the same customers in each.
        let amount = |kind, most: u64| {
            let (absent, amount) = (dice.below(3) == 0, 1 + dice.below(most));
            if absent || !weather.has(kind) {
                0
            } else {
                amount
            }
        };
        let small = |amount: u64| u32::try_from(amount).unwrap_or_default();
        let (lag, slow_shards) = (amount(Kind::Lag, 300), amount(Kind::SlowShards, 100));
        let hot = amount(Kind::Hot, HOT_WRITES_MAX - HOT_WRITES_MIN);
        let skew = amount(Kind::Skew, SKEW_MILLIS_MAX);
        let returns = amount(Kind::Returns, 400);
        let adjustments = amount(Kind::Staff, 12);
        let mut outages = Vec::new();
        let mut outage = |of, count, longest: Duration| {
            for _ in 0..count {
                let from = Duration::from_millis(dice.below(within));
                let millis = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
                let until = from + Duration::from_millis(millis / 20 + dice.below(millis));
                outages.push(Outage { of, from, until });
            }
        };
        let (short, long) = (amount(Kind::Outages, 2), amount(Kind::LongOutages, 1));
        let provider = amount(Kind::DeadProvider, 1);
        outage(drawn(dice), short, OUTAGE_MAX);
        outage(drawn(dice), long, LONG_OUTAGE_MAX);
        let longest = match dice.happens(500) {
            true => OUTAGE_MAX,
            false => LONG_OUTAGE_MAX,
        };
        outage(Dependency::Provider, provider, longest);
        let limits = match hot {
            0 => Limits::DYNAMODB,
            hot => Limits {
                writes: HOT_WRITES_MIN + hot,
                reads: (HOT_WRITES_MIN + hot) * READS_PER_WRITE,
            },
        };
        Self {
            lag: small(lag),
            limits,
            shards: 1 + dice.index(4),
            slow_shards: small(slow_shards),
            skew,
            outages,
            returns: small(returns),
            adjustments,
            late: small(amount(Kind::Late, 200)),
        }
    }

    /// How long the longest outage takes.
    pub fn longest_outage(&self) -> Duration {
        let outages = self.outages.iter();
        let lengths = outages.map(|outage| outage.until.saturating_sub(outage.from));
        lengths.max().unwrap_or_default()
    }

    /// When the last outage is over.
    pub fn clears(&self) -> Duration {
        let ends = self.outages.iter().map(|outage| outage.until);
        ends.max().unwrap_or_default()
    }
}

fn drawn(dice: &Dice) -> Dependency {
    const SERVICES: [Service; 5] = [
        Service::DynamoDb,
        Service::Lambda,
        Service::Sns,
        Service::Sqs,
        Service::Ses,
    ];
    Dependency::Aws(SERVICES[dice.index(SERVICES.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_trouble_comes_only_in_weather_that_has_it() {
        let calm = Weather::named("calls").unwrap();
        let full = Weather::named("full").unwrap();
        let forecast =
            |weather, seed| Forecast::of(weather, &Dice::new(seed, 0), Duration::from_secs(240));
        assert!((0..50).all(|seed| {
            let forecast = forecast(calm, seed);
            forecast.outages.is_empty() && forecast.lag == 0 && forecast.adjustments == 0
        }));
        let seen = (0..50).map(|seed| forecast(full, seed));
        let seen: Vec<_> = seen.collect();
        assert!(seen.iter().any(|one| one.clears() > OUTAGE_MAX));
        assert!(seen.iter().any(|one| one.outages.is_empty()));
        assert!(seen.iter().any(|one| one.limits != Limits::DYNAMODB));
    }
}
