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

pub mod buyers;
pub mod check;
pub mod cloud;
pub mod dice;
pub mod drop;
pub mod faults;
pub mod functions;
pub mod ledger;
pub mod sabotage;
pub mod story;
pub mod triggers;
pub mod world;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use dice::Dice;
use faults::Rates;
use local::template::Template;
use sabotage::Sabotage;
use world::World;

/// Purposes of dice, beside those of the world.
const BUYERS: u64 = 10;
const RATES: u64 = 11;
/// How long after the last fault everything must have come to rest: longer than goods are
/// held, and than a message is tried.
const REST: Duration = Duration::from_secs(45 * 60);

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// From which all chance follows.
    pub seed: u64,
    /// Whether the story is kept.
    pub told: bool,
    /// The safeguard that is taken away.
    pub sabotage: Sabotage,
}

impl Run {
    /// A seed, with all safeguards, and without its story.
    pub const fn of(seed: u64) -> Self {
        Self {
            seed,
            told: false,
            sabotage: Sabotage::None,
        }
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What was wrong at the end.
    pub violations: Vec<String>,
    /// The faults, and how often.
    pub injected: BTreeMap<&'static str, u64>,
    /// What customers were told: statuses, and how often.
    pub replies: BTreeMap<u16, u64>,
    /// The story, if it was asked for.
    pub story: Vec<String>,
    /// Equal for equal runs.
    pub fingerprint: u64,
}

/// Runs a seed.
///
/// # Panics
/// When the template cannot be deployed, or a function panics.
pub fn run(template: &Template, run: &Run) -> Outcome {
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

async fn simulate(template: &Template, run: &Run) -> Outcome {
    let seed = run.seed;
    let dice = Dice::new(seed, BUYERS);
    let rates = Rates::of(&Dice::new(seed, RATES));
    let world = World::deploy(template, run, rates);
    let world = Arc::new(world.expect("the template deploys"));
    world.tell(format_args!("seed {seed}: {rates:?}"));
    world.faults.pause(true);
    let products = buyers::stock(&world, &dice).await;
    triggers::start(&world, is_simulated);
    buyers::register(&world).await;
    world.faults.pause(false);
    let answers = Arc::default();
    buyers::shop(&world, &dice, &products, &answers).await;
    world.faults.pause(true);
    world.tell(format_args!("no more faults"));
    tokio::time::sleep(REST).await;
    let violations = check::violations(&world, &products, &answers);
    for violation in &violations {
        world.tell(format_args!("WRONG: {violation}"));
    }
    let mut replies: BTreeMap<u16, u64> = BTreeMap::new();
    for (status, _) in answers.by_key().values().flatten() {
        *replies.entry(*status).or_default() += 1;
    }
    Outcome {
        seed,
        violations,
        injected: world.faults.injected(),
        replies,
        story: world.story.lines(),
        fingerprint: world.story.fingerprint(),
    }
}

/// The functions that orders need.
fn is_simulated(function: &str) -> bool {
    !matches!(
        function,
        "erase-accounts" | "relay-user-events" | "anonymise-orders"
    )
}
