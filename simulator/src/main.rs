//! `make simulate`: runs seeds, and says what broke.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use local::template::Template;
use runtime::Environment;
use simulator::{
    Run,
    campaign::{run_seeds, teeth},
    report::{self, Header},
    run, story,
    weather::Weather,
};

/// Seeds of a run that is not told how many.
const SEEDS_DEFAULT: u64 = 200;
/// The runs that broke whose stories are told.
const STORIES_MAX: usize = 2;

/// What the environment asks for.
struct Settings {
    header: Header,
    weather: Weather,
    /// The one seed whose story is wanted; 0 for many.
    seed: u64,
    /// How many broken runs are looked for.
    found_max: Option<usize>,
    teeth: bool,
    update: bool,
}

fn main() -> ExitCode {
    match settings().and_then(|settings| Ok((start()?, settings))) {
        Ok((template, settings)) if settings.seed > 0 => one(&template, &settings),
        Ok((template, settings)) => many(&template, &settings),
        Err(reason) => {
            say(&format!("cannot simulate: {reason}"));
            ExitCode::FAILURE
        }
    }
}

fn settings() -> Result<Settings, String> {
    let environment = Environment::from_process();
    let number = |name, default| {
        let number = environment.parse_or(name, default, "a whole number");
        number.map_err(|error| error.to_string())
    };
    let weather = environment.get("WEATHER").unwrap_or("default");
    let weather = Weather::named(weather).ok_or_else(|| {
        let names = Weather::ALL.map(|weather| weather.name).join(", ");
        format!("WEATHER is none of {names}")
    })?;
    let found = number("FOUND", 0)?;
    Ok(Settings {
        header: Header {
            commit: environment.get("COMMIT").unwrap_or("unknown").to_owned(),
            weather: weather.name,
            seeds: (number("FROM", 1)?, number("SEEDS", SEEDS_DEFAULT)?),
        },
        weather,
        seed: number("SEED", 0)?,
        found_max: usize::try_from(found).ok().filter(|found| *found > 0),
        teeth: number("TEETH", 1)? > 0,
        update: number("UPDATE", 0)? > 0,
    })
}

fn start() -> Result<Arc<Template>, String> {
    let template = Template::load(&root().join("template.yaml"), &Environment::default());
    Ok(Arc::new(template.map_err(|error| error.to_string())?))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn say(line: &str) {
    // There is nowhere to report that nothing can be written.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Runs a seed twice, and tells its story.
fn one(template: &Arc<Template>, settings: &Settings) -> ExitCode {
    let untold = Run {
        weather: settings.weather,
        ..Run::of(settings.seed)
    };
    let outcome = run(
        template,
        &Run {
            told: true,
            ..untold
        },
    );
    for line in &outcome.story {
        say(line);
    }
    if run(template, &untold).fingerprint != outcome.fingerprint {
        say("the seed did not replay: two runs differ");
        return ExitCode::FAILURE;
    }
    match outcome.violations.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn many(template: &Arc<Template>, settings: &Settings) -> ExitCode {
    let Settings {
        header, weather, ..
    } = settings;
    let summary = run_seeds(template, *weather, header.seeds, settings.found_max);
    for line in report::lines(header, &summary) {
        say(&line);
    }
    for broken in summary.found.iter().take(STORIES_MAX) {
        let told = Run {
            weather: *weather,
            told: true,
            ..Run::of(broken.seed)
        };
        let outcome = run(template, &told);
        say(&format!("what happened in seed {}:", broken.seed));
        for line in story::excerpt(&outcome.story, &outcome.violations) {
            say(&format!("    {line}"));
        }
    }
    let teeth = match settings.teeth && summary.is_clean() {
        true => teeth(template, *weather, |tooth| say(&report::tooth(tooth))),
        false => Vec::new(),
    };
    if settings.update
        && let Err(reason) = update(header, &summary, &teeth)
    {
        say(&format!("docs/reliability.md is not written: {reason}"));
        return ExitCode::FAILURE;
    }
    match summary.is_clean() && teeth.iter().all(|tooth| tooth.bit.is_some()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn update(
    header: &Header,
    summary: &simulator::campaign::Summary,
    teeth: &[simulator::campaign::Tooth],
) -> Result<(), String> {
    let path = root().join("docs/reliability.md");
    let old = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
    let new = report::page(&old, header, summary, teeth)?;
    std::fs::write(&path, new).map_err(|error| error.to_string())
}
