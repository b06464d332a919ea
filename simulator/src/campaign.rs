//! Many runs: seeds on all processors, what was injected in them, and what broke; and the
//! teeth, which are runs without a safeguard that have to break.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use local::template::Template;

use crate::{Outcome, Run, run, sabotage::Sabotage, weather::Weather};

/// Violations after which no more are looked for.
const FOUND_MAX: usize = 5;
/// One of so many seeds is run twice, to see that it replays.
const REPLAYED_EVERY: u64 = 50;
/// Seeds within which a missing safeguard has to be noticed.
pub const BITES_WITHIN: u64 = 60;

/// How often something was injected, and in how many runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How often.
    pub times: u64,
    /// In how many runs.
    pub runs: u64,
}

/// What many runs came to.
#[derive(Debug, Default)]
pub struct Summary {
    /// How many runs there were.
    pub runs: u64,
    /// How many of them were run twice.
    pub replayed: u64,
    /// The faults.
    pub injected: BTreeMap<&'static str, Count>,
    /// What customers were told.
    pub replies: BTreeMap<u16, u64>,
    /// How orders ended.
    pub orders: BTreeMap<String, u64>,
    /// How much time passed in the runs.
    pub took: Duration,
    /// The runs that broke.
    pub found: Vec<Outcome>,
    /// Seeds that did not replay.
    pub differing: Vec<u64>,
}

impl Summary {
    fn add(&mut self, outcome: Outcome) {
        self.runs += 1;
        for (fault, times) in &outcome.injected {
            let count = self.injected.entry(fault).or_default();
            count.times += times;
            count.runs += 1;
        }
        for (status, count) in &outcome.replies {
            *self.replies.entry(*status).or_default() += count;
        }
        for (ending, count) in &outcome.orders {
            *self.orders.entry(ending.clone()).or_default() += count;
        }
        self.took += outcome.took;
        if !outcome.violations.is_empty() {
            self.found.push(outcome);
        }
    }

    /// Whether nothing broke, and everything replays.
    pub fn is_clean(&self) -> bool {
        self.found.is_empty() && self.differing.is_empty()
    }
}

/// How many runs there may be at the same time.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs seeds until all are done or enough have broken; `found_max` of them, or a few.
pub fn run_seeds(
    template: &Arc<Template>,
    weather: Weather,
    (from, count): (u64, u64),
    found_max: Option<usize>,
) -> Summary {
    let next = AtomicU64::new(from);
    let summary = Mutex::new(Summary::default());
    let found_max = found_max.unwrap_or(FOUND_MAX);
    let with = |act: &mut dyn FnMut(&mut Summary)| {
        act(&mut summary.lock().unwrap_or_else(PoisonError::into_inner));
    };
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            let mut enough = false;
            with(&mut |summary| enough = summary.found.len() >= found_max);
            if seed >= from + count || enough {
                return;
            }
            let one = Run {
                weather,
                ..Run::of(seed)
            };
            let outcome = run(template, &one);
            let fingerprint = outcome.fingerprint;
            let again = seed.is_multiple_of(REPLAYED_EVERY);
            let differs = again && run(template, &one).fingerprint != fingerprint;
            let mut outcome = Some(outcome);
            with(&mut |summary| {
                summary.replayed += u64::from(again);
                summary.differing.extend(differs.then_some(seed));
                outcome.take().into_iter().for_each(|one| summary.add(one));
            });
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(work);
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.found.sort_by_key(|outcome| outcome.seed);
    summary
}

/// What happened when a safeguard was taken away.
#[derive(Debug)]
pub struct Tooth {
    /// The safeguard.
    pub safeguard: &'static str,
    /// The first seed that broke without it, and how.
    pub bit: Option<(u64, String)>,
}

/// Takes each safeguard away in turn, and looks for a seed that breaks without it.
pub fn teeth(
    template: &Arc<Template>,
    weather: Weather,
    tell: impl Fn(&Tooth) + Sync,
) -> Vec<Tooth> {
    let next = AtomicUsize::new(0);
    let teeth = Mutex::new(Vec::new());
    let work = || {
        while let index = next.fetch_add(1, Ordering::SeqCst)
            && let Some((safeguard, sabotage)) = Sabotage::ALL.get(index)
        {
            let bit = bites(template, weather, *sabotage);
            let tooth = Tooth { safeguard, bit };
            tell(&tooth);
            let mut teeth = teeth.lock().unwrap_or_else(PoisonError::into_inner);
            teeth.push((index, tooth));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(work);
        }
    });
    let mut teeth = teeth.into_inner().unwrap_or_else(PoisonError::into_inner);
    teeth.sort_by_key(|(index, _)| *index);
    teeth.into_iter().map(|(_, tooth)| tooth).collect()
}

/// The first seed that breaks without a safeguard and does not break with it, and how.
pub fn bites(
    template: &Arc<Template>,
    weather: Weather,
    sabotage: Sabotage,
) -> Option<(u64, String)> {
    let is_seen_in = sabotage.weather(weather);
    let violations = |sabotage, seed| {
        let one = Run {
            weather: is_seen_in,
            ..Run::without(sabotage, seed)
        };
        run(template, &one).violations
    };
    (1..=BITES_WITHIN).find_map(|seed| {
        let violation = violations(sabotage, seed).into_iter().next()?;
        let is_due_to_it = violations(Sabotage::None, seed).is_empty();
        is_due_to_it.then_some((seed, violation))
    })
}
