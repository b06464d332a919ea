//! What `make timing` runs: whether response times reveal who has an account.
//!
//! It invokes the release binaries through the runtime API with registered and
//! unregistered addresses in random order, and compares the times by Welch's
//! t-test and the shares of responses that are a step later than most. As in
//! dudect and TVLA, 4.5 standard errors count as a leak (p < 0.00001 for a single
//! comparison).
//!
//! `PAIRS=<n>` sets the size of each set; `BOOTSTRAPS=<directory>` measures
//! `<directory>/<function>/bootstrap`; `ONLY=log-in` measures that function alone.
//!
//! Each address is used once for each function, so that locks and rate limits
//! have no influence, and nothing else runs at the same time: see
//! `SampleShop::start_without_triggers`.

use futures_util::{StreamExt, stream};
use runtime::Environment;
use serde_json::{Value, json};
use shop_client::new_email;

use crate::{
    Error, print,
    process::{Process, Setup},
    programs::Programs,
    root,
    shop::SampleShop,
    tls_proxy::CertificateAuthority,
    welch::{Comparison, compare},
    work_directory,
};

/// The measurements in each set.
const PAIRS: usize = 2_000;
/// The same for times that are known to differ a lot.
const PAIRS_DIFFERENT: usize = 200;
/// From this value on, the times differ.
const T_MAX: f64 = 4.5;
/// Pairs before the first that is measured.
const WARM_UP: usize = 50;
/// Concurrent registrations: one for each core that hashes passwords.
const REGISTRATIONS: usize = 2;
/// The seed of the order in which requests are sent.
const ORDER_SEED: u64 = 7;
/// Nobody's password.
const WRONG_PASSWORD: &str = "seven blue herons mend it";

/// Two kinds of requests to one function.
struct Pair {
    function: &'static str,
    /// Variables that differ from those of the template's defaults.
    variables: &'static [(&'static str, &'static str)],
    description: &'static str,
    /// The status of the responses to each kind.
    statuses: [u64; 2],
    /// The body of the `n`th request of each kind.
    bodies: fn(&Addresses, usize) -> [Value; 2],
    /// Whether the times must differ, which tests the test itself.
    must_differ: bool,
}

impl Pair {
    /// The number of pairs to measure out of those requested.
    fn pairs(&self, requested: usize) -> usize {
        match self.must_differ {
            true => requested.min(PAIRS_DIFFERENT),
            false => requested,
        }
    }
}

/// Pairs of addresses of the same length, one of which is registered.
struct Addresses {
    known: Vec<String>,
    unknown: Vec<String>,
}

impl Addresses {
    /// Registers one address of each pair.
    async fn register(shop: &SampleShop, pairs: usize) -> Self {
        let new = || (0..pairs).map(|_| new_email()).collect();
        let addresses = Self {
            known: new(),
            unknown: new(),
        };
        stream::iter(&addresses.known)
            .map(|email| shop.register(email))
            .buffer_unordered(REGISTRATIONS)
            .map(drop)
            .collect::<()>()
            .await;
        addresses
    }

    /// The `n`th address of each kind.
    fn both(&self, n: usize) -> [&str; 2] {
        [&self.known, &self.unknown].map(|all| all.get(n).map_or("", String::as_str))
    }
}

const CASES: [Pair; 5] = [
    Pair {
        function: "log-in",
        variables: &[],
        description: "a wrong password for a known address, and for an unknown one",
        statuses: [401, 401],
        bodies: |addresses, n| {
            let both = addresses.both(n);
            both.map(|email| json!({"email": email, "password": WRONG_PASSWORD}))
        },
        must_differ: false,
    },
    Pair {
        function: "request-password-reset",
        variables: &[],
        description: "a known address, and an unknown one",
        statuses: [202, 202],
        bodies: |addresses, n| addresses.both(n).map(|email| json!({ "email": email })),
        must_differ: false,
    },
    Pair {
        function: "resend-verification",
        variables: &[],
        description: "a known address, and an unknown one",
        statuses: [202, 202],
        bodies: |addresses, n| addresses.both(n).map(|email| json!({ "email": email })),
        must_differ: false,
    },
    // After the others, because the unknown addresses are known after it.
    Pair {
        function: "register-user",
        variables: &[("REGISTRATION", "private")],
        description: "with private registration, a taken address and a free one",
        statuses: [202, 202],
        bodies: |addresses, n| {
            let both = addresses.both(n);
            both.map(|email| json!({"email": email, "password": WRONG_PASSWORD, "name": "Ada"}))
        },
        must_differ: false,
    },
    // How the others would look if unknown addresses took a shortcut.
    Pair {
        function: "log-in",
        variables: &[],
        description: "a wrong password, and none, which is rejected before hashing",
        statuses: [401, 422],
        bodies: |addresses, n| {
            let [known, unknown] = addresses.both(n);
            let wrong = json!({"email": known, "password": WRONG_PASSWORD});
            [wrong, json!({ "email": unknown })]
        },
        must_differ: true,
    },
];

/// Compares all pairs and prints the results.
///
/// # Errors
/// If times differ that must not, or do not differ that must; if a program
/// cannot be run, or a response is not the expected one.
pub async fn run(environment: &Environment) -> Result<(), Error> {
    let root = root()?;
    let pairs = environment.parse_or("PAIRS", PAIRS, "a number of pairs")?;
    let work = work_directory(root, "timing")?;
    let authority = CertificateAuthority::create(&work)?;
    print(&format!("registering {} accounts", pairs + WARM_UP));
    let shop = SampleShop::start_without_triggers(root).await?;
    let addresses = Addresses::register(&shop, pairs + WARM_UP).await;
    let programs = Programs::of_environment(environment, root, &shop)?;
    let setup = Setup {
        authority: &authority,
        logs: &work,
    };
    let mut wrong = Vec::new();
    let only = environment.get("ONLY").unwrap_or_default();
    for case in CASES.iter().filter(|case| case.function.contains(only)) {
        let [first, second] = measure(case, &programs, &addresses, &setup).await?;
        let found = compare(&first, &second);
        print(&line(case, &found, case.pairs(pairs)));
        if differs(&found) != case.must_differ {
            wrong.push(case.function);
        }
    }
    shop.stop().await;
    match wrong[..] {
        [] => Ok(()),
        _ => Err(format!("unexpected result: {}", wrong.join(", ")).into()),
    }
}

/// Measures the requests of each kind; returns microseconds.
async fn measure(
    case: &Pair,
    programs: &Programs<'_>,
    addresses: &Addresses,
    setup: &Setup<'_>,
) -> Result<[Vec<f64>; 2], Error> {
    let mut program = programs.function(case.function)?;
    for (name, value) in case.variables {
        program
            .environment
            .insert((*name).to_owned(), (*value).to_owned());
    }
    let (process, _) = Process::start(&program, setup).await?;
    let mut times = [Vec::new(), Vec::new()];
    let count = case.pairs(addresses.known.len() - WARM_UP) + WARM_UP;
    let mut requests: Vec<(usize, usize)> = (0..count).flat_map(|n| [(n, 0), (n, 1)]).collect();
    // Not pair by pair: the after-effects of a request must reach both kinds of
    // requests equally.
    fastrand::Rng::with_seed(ORDER_SEED).shuffle(&mut requests);
    for (at, (n, kind)) in requests.into_iter().enumerate() {
        let body = &(case.bodies)(addresses, n)[kind];
        let payload = programs.shop.event_with(case.function, body)?;
        let status = case.statuses[kind];
        let reply = process
            .invoke_expecting(payload, status..status + 1)
            .await?;
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
    let verdict = match (differs(found), case.must_differ) {
        (false, false) => "ok: no difference",
        (true, true) => "ok: the difference was found",
        (true, false) => "LEAK",
        (false, true) => "BLIND: the difference was not found",
    };
    format!(
        "{}: {}\n  t = {:.2} over {pairs} pairs, {:.1} µs apart ({:.1} µs is detectable); late responses z = {:.2}; {verdict}",
        case.function,
        case.description,
        found.t,
        found.difference,
        T_MAX * found.error,
        found.late,
    )
}
