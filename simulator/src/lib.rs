//! The shop under faults.
//!
//! The real functions, started as Lambda starts them and with the real AWS SDK, run
//! on a simulated AWS in one thread: the SDK's HTTP connector is ours, time is tokio's and
//! passes only when everybody waits, and everything that chance decides follows from a
//! seed. A seed therefore replays a run, line by line.
//!
//! What the simulation does not have: `users`, whose functions no order waits for (a
//! caller is signed in by the event), and whatever [`cloud`] does not know of AWS.
#![expect(clippy::expect_used, reason = "a simulation that cannot go on stops")]

pub mod busy;
pub mod buyers;
pub mod campaign;
pub mod check;
pub mod cloud;
pub mod dice;
pub mod drop;
pub mod faults;
pub mod functions;
pub mod ledger;
pub mod report;
pub mod sabotage;
pub mod staff;
pub mod story;
pub mod triggers;
pub mod weather;
pub mod world;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use buyers::{Product, SHOPPING_MILLIS, Told};
use dice::Dice;
use faults::Rates;
use local::template::Template;
use sabotage::Sabotage;
use tokio::time::{Instant, sleep, sleep_until};
use weather::{Forecast, Weather};
use world::World;

/// Purposes of dice, beside those of the world.
const BUYERS: u64 = 10;
const RATES: u64 = 11;
const FORECAST: u64 = 12;
const STAFF: u64 = 13;
/// Within this after the last fault every order has reached an end: longer than goods are
/// held, and than a message is tried. After an outage it is longer by as much as that took.
pub const ENDS_WITHIN: Duration = Duration::from_secs(45 * 60);
/// How often it is looked whether the shop is at rest.
const LOOKS_EVERY: Duration = Duration::from_secs(15);
/// How often what holds always is checked while the shop is open.
const CHECKS_EVERY: Duration = Duration::from_secs(30);
/// How long a shop at rest is watched: for longer than a sweep waits.
const WATCHED_FOR: Duration = Duration::from_secs(3 * 60);
/// One of so many runs is watched for the whole time, although it is at rest.
const WATCHED_LONGER: u64 = 16;

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// From which all chance follows.
    pub seed: u64,
    /// What trouble there may be.
    pub weather: Weather,
    /// Whether the story is kept.
    pub told: bool,
    /// Whether there are many customers and many messages come twice, whatever the seed.
    pub is_rough: bool,
    /// The safeguard that is taken away.
    pub sabotage: Sabotage,
}

impl Run {
    /// A seed, with all safeguards, in the default weather, and without its story.
    pub const fn of(seed: u64) -> Self {
        Self {
            seed,
            weather: Weather::DEFAULT,
            told: false,
            is_rough: false,
            sabotage: Sabotage::None,
        }
    }

    /// A seed without a safeguard.
    pub const fn without(sabotage: Sabotage, seed: u64) -> Self {
        Self {
            is_rough: true,
            sabotage,
            ..Self::of(seed)
        }
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What was wrong.
    pub violations: Vec<String>,
    /// The faults, and how often.
    pub injected: BTreeMap<&'static str, u64>,
    /// What customers were told: statuses, and how often.
    pub replies: BTreeMap<u16, u64>,
    /// How many orders ended in each way.
    pub orders: BTreeMap<String, u64>,
    /// How much time passed in it.
    pub took: Duration,
    /// The story, if it was asked for.
    pub story: Vec<String>,
    /// Equal for equal runs.
    pub fingerprint: u64,
}

/// Runs a seed.
///
/// # Panics
/// When the template cannot be deployed, or a function panics.
pub fn run(template: &Arc<Template>, run: &Run) -> Outcome {
    fastrand::seed(run.seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let outcome = runtime.block_on(simulate(template, run));
    runtime.shutdown_background();
    outcome
}

async fn simulate(template: &Arc<Template>, run: &Run) -> Outcome {
    let (seed, begun) = (run.seed, Instant::now());
    let dice = Dice::new(seed, BUYERS);
    let rates = match run.is_rough {
        false => Rates::of(&Dice::new(seed, RATES)),
        true => Rates::ROUGH,
    };
    let open = Duration::from_millis(SHOPPING_MILLIS);
    let forecast = Forecast::of(run.weather, &Dice::new(seed, FORECAST), open);
    let world = World::deploy(template, run, rates, forecast.clone());
    let world = Arc::new(world.expect("the template deploys"));
    world.tell(format_args!("seed {seed}: {rates:?} {forecast:?}"));
    let products = buyers::stock(&world, &dice).await;
    triggers::start(&world);
    let crowd = buyers::crowd(&dice, run.is_rough);
    buyers::register(&world, crowd).await;
    world.faults.begin();
    let told: Arc<Told> = Arc::default();
    let mut violations = {
        let watched = watch(&world, &products, &told);
        let staff = Dice::new(seed, STAFF);
        let open = async {
            let shopping = buyers::shop(&world, &dice, crowd, &products, &told);
            let working = staff::work(&world, &staff, &products, &told, open);
            tokio::join!(shopping, working);
            if let Some(clears) = world.faults.clears() {
                sleep_until(clears).await;
            }
        };
        tokio::select! {
            biased;
            violations = watched => violations,
            () = open => Vec::new(),
        }
    };
    world.faults.end();
    world.tell(format_args!("no more faults"));
    if violations.is_empty() {
        rest(&world, ENDS_WITHIN + forecast.longest_outage(), seed).await;
        violations = check::violations(&world, &products, &told);
    }
    for violation in &violations {
        world.tell(format_args!("WRONG: {violation}"));
    }
    let mut replies: BTreeMap<u16, u64> = BTreeMap::new();
    for answer in told.by_key().values().flatten() {
        *replies.entry(answer.status).or_default() += 1;
    }
    Outcome {
        seed,
        violations,
        injected: world.faults.injected(),
        replies,
        orders: check::endings(&world),
        took: begun.elapsed(),
        story: world.story.lines(),
        fingerprint: world.story.fingerprint(),
    }
}

/// Waits until the shop is at rest and has stayed so for a while, or has had time enough.
async fn rest(world: &Arc<World>, longest: Duration, seed: u64) {
    let until = Instant::now() + longest;
    if seed.is_multiple_of(WATCHED_LONGER) {
        return sleep_until(until).await;
    }
    while Instant::now() < until {
        sleep(LOOKS_EVERY).await;
        if check::is_at_rest(world) {
            sleep(WATCHED_FOR).await;
            if check::is_at_rest(world) {
                return;
            }
        }
    }
}

/// Checks now and then what holds always; returns when it does not.
async fn watch(world: &Arc<World>, products: &[Product], told: &Told) -> Vec<String> {
    let mut seen = 0;
    loop {
        sleep(CHECKS_EVERY).await;
        let changes = world.database.changes();
        if changes != seen {
            seen = changes;
            let violations = check::always(world, products, told);
            if !violations.is_empty() {
                return violations;
            }
        }
    }
}

/// Whether a function is needed by orders.
pub fn is_simulated(function: &str) -> bool {
    !matches!(
        function,
        "erase-accounts" | "relay-user-events" | "anonymise-orders"
    )
}
