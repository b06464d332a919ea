//! What `make timing` runs: whether the time of an answer tells who has an
//! account. It drives the release binaries through the runtime API, with
//! addresses that are known and addresses that are not, in random order, and
//! compares the times by Welch's t-test, and the shares of answers that come a
//! step later than most. From 4.5 standard errors on it is taken for a leak, as
//! dudect and TVLA do (p < 0.00001 for one comparison).
//!
//! `PAIRS=n` sets how many measurements each set has; `BOOTSTRAPS=dir`
//! measures `dir/<function>/bootstrap`; `ONLY=log-in` does that alone.
//!
//! Each address is used once for each function, so no lock and no limit has a
//! part in it, and nothing runs beside the function: see `World::start_still`.

use std::path::{Path, PathBuf};

use futures_util::{StreamExt, TryStreamExt, stream};
use runtime::Environment;
use serde_json::{Value, json};

use crate::{
    Failure,
    front::Authority,
    process::Process,
    root, say,
    targets::Programs,
    welch::{Comparison, compare},
    world::World,
};

/// Measurements in each set.
const PAIRS: usize = 2_000;
/// The same where the times are known to differ by far.
const PAIRS_LEAKING: usize = 200;
/// From here on the times differ.
const T_MAX: f64 = 4.5;
/// Calls before the first that counts.
const WARM_UP: usize = 50;
/// Accounts that are made at once.
const REGISTRATIONS: usize = 2;
/// A password that nobody has.
const WRONG: &str = "seven blue herons mend it";

/// Two kinds of requests to one function.
struct Pair {
    function: &'static str,
    what: &'static str,
    /// The status of the replies to each kind.
    statuses: [u64; 2],
    /// The body of the `n`th request of each kind.
    bodies: fn(&People, usize) -> [Value; 2],
    /// Whether the times must differ: then the test is tested.
    leaks: bool,
}

impl Pair {
    /// How many pairs are measured, of so many that are asked for.
    fn pairs(&self, asked: usize) -> usize {
        match self.leaks {
            true => asked.min(PAIRS_LEAKING),
            false => asked,
        }
    }
}

/// Addresses of one length, in pairs.
struct People {
    known: Vec<String>,
    unknown: Vec<String>,
}

impl People {
    /// Addresses for so many pairs, and an account for each known one.
    async fn register(world: &World, pairs: usize) -> Result<Self, Failure> {
        let addresses = || -> Vec<String> {
            let new = || format!("{}@example.com", uuid::Uuid::new_v4().simple());
            (0..pairs).map(|_| new()).collect()
        };
        let people = Self {
            known: addresses(),
            unknown: addresses(),
        };
        stream::iter(&people.known)
            .map(|email| world.register(email))
            .buffer_unordered(REGISTRATIONS)
            .try_collect::<Vec<_>>()
            .await?;
        Ok(people)
    }

    /// The `n`th address of each kind.
    fn both(&self, n: usize) -> [&str; 2] {
        [&self.known, &self.unknown].map(|all| all.get(n).map_or("", String::as_str))
    }
}

const CASES: [Pair; 4] = [
    Pair {
        function: "log-in",
        what: "a wrong password for a known address, and for an unknown one",
        statuses: [401, 401],
        bodies: |people, n| {
            let both = people.both(n);
            both.map(|email| json!({"email": email, "password": WRONG}))
        },
        leaks: false,
    },
    Pair {
        function: "request-password-reset",
        what: "a known address, and an unknown one",
        statuses: [202, 202],
        bodies: |people, n| people.both(n).map(|email| json!({ "email": email })),
        leaks: false,
    },
    Pair {
        function: "resend-verification",
        what: "a known address, and an unknown one",
        statuses: [202, 202],
        bodies: |people, n| people.both(n).map(|email| json!({ "email": email })),
        leaks: false,
    },
    // What the others would look like with a short cut for unknown addresses.
    Pair {
        function: "log-in",
        what: "a wrong password, and none, which is refused before it is hashed",
        statuses: [401, 422],
        bodies: |people, n| {
            let [known, unknown] = people.both(n);
            let wrong = json!({"email": known, "password": WRONG});
            [wrong, json!({ "email": unknown })]
        },
        leaks: true,
    },
];

/// Compares all pairs, and says what it finds.
///
/// # Errors
/// When times differ that must not, or do not that must; when something cannot
/// be run, or a reply is not as expected.
pub async fn run(environment: &Environment) -> Result<(), Failure> {
    let root = root()?;
    let pairs = environment.parse_or("PAIRS", PAIRS, "a number of pairs")?;
    let release = std::env::current_exe()?;
    let release = release.parent().ok_or("the binary stands nowhere")?;
    let bootstraps = environment.get("BOOTSTRAPS").map(PathBuf::from);
    let work = root.join("target/timing");
    std::fs::create_dir_all(&work)?;
    let authority = Authority::create(&work)?;
    say(&format!("making {} accounts", pairs + WARM_UP));
    let world = World::start_still(root).await?;
    let people = People::register(&world, pairs + WARM_UP).await?;
    let programs = Programs {
        world: &world,
        root,
        release,
        bootstraps: bootstraps.as_deref(),
        path: "",
    };
    let mut wrong = Vec::new();
    let only = environment.get("ONLY").unwrap_or_default();
    for case in CASES.iter().filter(|case| case.function.contains(only)) {
        let [first, second] = measure(case, &programs, &people, &authority, &work).await?;
        let found = compare(&first, &second);
        say(&line(case, &found, case.pairs(pairs)));
        if differs(&found) != case.leaks {
            wrong.push(case.function);
        }
    }
    world.stop().await;
    match wrong[..] {
        [] => Ok(()),
        _ => Err(format!("not as it must be: {}", wrong.join(", ")).into()),
    }
}

/// The times of the requests of each kind, in microseconds.
async fn measure(
    case: &Pair,
    programs: &Programs<'_>,
    people: &People,
    authority: &Authority,
    logs: &Path,
) -> Result<[Vec<f64>; 2], Failure> {
    let program = programs.function(case.function)?;
    let (process, _) = Process::start(&program, authority, logs).await?;
    let mut times = [Vec::new(), Vec::new()];
    let count = case.pairs(people.known.len() - WARM_UP) + WARM_UP;
    let mut requests: Vec<(usize, usize)> = (0..count).flat_map(|n| [(n, 0), (n, 1)]).collect();
    // Not pair by pair: what a request of one kind leaves behind for the next
    // must meet both kinds alike.
    fastrand::shuffle(&mut requests);
    for (at, (n, kind)) in requests.into_iter().enumerate() {
        let body = &(case.bodies)(people, n)[kind];
        let payload = programs.world.event_with(case.function, body)?;
        let status = case.statuses[kind];
        let reply = process.invoke_for(payload, status..status + 1).await?;
        if at >= 2 * WARM_UP {
            times[kind].push(reply.wall.as_secs_f64() * 1e6);
        }
    }
    Ok(times)
}

fn differs(found: &Comparison) -> bool {
    found.t.is_nan() || found.t.abs() >= T_MAX || found.late.abs() >= T_MAX
}

fn line(case: &Pair, found: &Comparison, pairs: usize) -> String {
    let verdict = match (differs(found), case.leaks) {
        (false, false) => "ok: no difference",
        (true, true) => "ok: the difference is found",
        (true, false) => "LEAK",
        (false, true) => "BLIND: the difference is not found",
    };
    format!(
        "{}: {}\n  t = {:.2} over {pairs} pairs, {:.1} µs apart; {:.1} µs would have shown; late ones z = {:.2}; {verdict}",
        case.function,
        case.what,
        found.t,
        found.difference,
        T_MAX * found.error,
        found.late,
    )
}
