//! `make simulate`: runs seeds, and says what broke.

use std::{
    collections::BTreeMap,
    io::Write,
    path::Path,
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use local::template::Template;
use runtime::Environment;
use simulator::{Outcome, Run, drop, run, sabotage::Sabotage};

/// Seeds of a run that is not told how many.
const SEEDS_DEFAULT: u64 = 200;
/// Seeds within which a missing safeguard has to be noticed.
const BITES_WITHIN: u64 = 100;
/// Violations after which no more are looked for.
const FOUND_MAX: usize = 5;

fn main() -> ExitCode {
    let environment = Environment::from_process();
    let number = |name, default| environment.parse_or(name, default, "a whole number");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let settings = (
        number("SEEDS", SEEDS_DEFAULT),
        number("FROM", 1),
        number("SEED", 0),
    );
    let (seeds, from, seed) = match settings {
        (Ok(seeds), Ok(from), Ok(seed)) => (seeds, from, seed),
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
            return fail(&error.to_string());
        }
    };
    let template = match Template::load(&root, &Environment::default()) {
        Ok(template) => template,
        Err(error) => return fail(&error.to_string()),
    };
    match (number("RATE", 0), seed) {
        (Ok(rate @ 1..), _) => drop_of(template, rate, &environment),
        (_, 0) => many(&Arc::new(template), from, seeds),
        (_, seed) => one(&Arc::new(template), seed),
    }
}

/// `make drop`: everybody wants one product.
fn drop_of(template: Template, rate: u64, environment: &Environment) -> ExitCode {
    let number = |name, default| environment.parse_or(name, default, "a whole number");
    let (Ok(buyers), Ok(stock)) = (number("BUYERS", rate * 10), number("STOCK", rate * 5)) else {
        return fail("BUYERS and STOCK are whole numbers");
    };
    let seed = number("SEED", 1).unwrap_or(1).max(1);
    let offered = drop::Drop {
        rate,
        buyers,
        stock,
        seed,
    };
    let report = drop::run(&Arc::new(template), offered);
    say(&format!(
        "{buyers} buyers, {rate} a second, of {stock} units\n{report}"
    ));
    match report.wrong.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn fail(reason: &str) -> ExitCode {
    say(&format!("cannot simulate: {reason}"));
    ExitCode::FAILURE
}

fn say(line: &str) {
    // There is nowhere to report that nothing can be written.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Runs a seed twice, and tells its story.
fn one(template: &Arc<Template>, seed: u64) -> ExitCode {
    let told = Run {
        told: true,
        ..Run::of(seed)
    };
    let outcome = run(template, &told);
    for line in &outcome.story {
        say(line);
    }
    if run(template, &Run::of(seed)).fingerprint != outcome.fingerprint {
        say("the seed did not replay: two runs differ");
        return ExitCode::FAILURE;
    }
    match outcome.violations.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn many(template: &Arc<Template>, from: u64, seeds: u64) -> ExitCode {
    let (next, found) = (AtomicU64::new(from), Mutex::new(Vec::<Outcome>::new()));
    let totals = Mutex::new((BTreeMap::new(), BTreeMap::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let seed = next.fetch_add(1, Ordering::SeqCst)
                    && seed < from + seeds
                    && found.lock().is_ok_and(|found| found.len() < FOUND_MAX)
                {
                    let outcome = run(template, &Run::of(seed));
                    if let Ok(mut totals) = totals.lock() {
                        for (fault, count) in &outcome.injected {
                            *totals.0.entry(*fault).or_insert(0) += count;
                        }
                        for (status, count) in &outcome.replies {
                            *totals.1.entry(*status).or_insert(0) += count;
                        }
                    }
                    if let (false, Ok(mut found)) = (outcome.violations.is_empty(), found.lock()) {
                        found.push(outcome);
                    }
                }
            });
        }
    });
    let (injected, replies) = totals.into_inner().unwrap_or_default();
    for (fault, count) in &injected {
        say(&format!("{count:>9}  {fault}"));
    }
    for (status, count) in &replies {
        say(&format!("{count:>9}  answers with status {status}"));
    }
    let found = found.into_inner().unwrap_or_default();
    for outcome in &found {
        say(&format!("SEED={} make simulate", outcome.seed));
        for violation in &outcome.violations {
            say(&format!("    {violation}"));
        }
    }
    say(&format!("{seeds} seeds, {} with a violation", found.len()));
    match found.is_empty() && bites(template) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Takes each safeguard away in turn; whether a check noticed each time.
fn bites(template: &Arc<Template>) -> bool {
    let mut all = true;
    for (safeguard, sabotage) in Sabotage::ALL {
        let found = (1..=BITES_WITHIN).find_map(|seed| {
            let sabotaged = Run {
                sabotage,
                ..Run::of(seed)
            };
            let violations = run(template, &sabotaged).violations;
            Some((seed, violations.first()?.clone()))
        });
        match found {
            Some((seed, violation)) => {
                say(&format!(
                    "without \"{safeguard}\", seed {seed} fails: {violation}"
                ));
            }
            None => {
                say(&format!(
                    "without \"{safeguard}\", {BITES_WITHIN} seeds pass: nothing checks it"
                ));
                all = false;
            }
        }
    }
    all
}
