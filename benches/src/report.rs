//! The figures as tables, between the marks in docs/performance.md.

use std::{fmt::Write as _, io::Write as _, path::Path, time::Duration};

use flate2::{Compression, write::DeflateEncoder};

use crate::{
    Failure, chart,
    load::{CLIENTS, Load},
    measure::{Effort, Figures, Target, median, percentile},
    say,
    sizing::{self, MEMORY_MB, OURS, Sizing},
};

const BEGIN: &str = "<!-- figures: written by make bench -->\n";
const END: &str = "<!-- end of figures -->\n";
/// What a zip archive adds to its one deflated file: two headers with the name
/// and the end record.
const ZIP_OVERHEAD_BYTES: usize = 30 + 46 + 22 + 2 * "bootstrap".len();

/// All that was measured.
pub(crate) struct Results {
    pub(crate) machine: String,
    pub(crate) effort: Effort,
    pub(crate) measured: Vec<(Target, Figures)>,
    pub(crate) loads: Vec<Load>,
    pub(crate) sizings: Vec<Sizing>,
    pub(crate) log_in_memory_mb: u32,
}

impl Results {
    /// The figures of one.
    pub(crate) fn figures(&self, name: &str) -> Result<&Figures, Failure> {
        let found = self
            .measured
            .iter()
            .find(|(target, _)| target.program.name == name);
        let (_, figures) = found.ok_or_else(|| format!("{name} was not measured"))?;
        Ok(figures)
    }
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

pub(crate) fn megabytes(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1_024.0
}

/// How often `ours` goes into `theirs`.
pub(crate) fn ratio(theirs: Duration, ours: Duration) -> f64 {
    theirs.as_secs_f64() / ours.as_secs_f64().max(f64::MIN_POSITIVE)
}

/// Writes the page and its chart: into docs, or beside the logs in a quick run.
pub(crate) fn write(
    results: &Results,
    root: &Path,
    work: &Path,
    quick: bool,
) -> Result<(), Failure> {
    let page = root.join("docs/performance.md");
    let text = std::fs::read_to_string(&page)?;
    let (head, rest) = text
        .split_once(BEGIN)
        .ok_or("docs/performance.md has no marks")?;
    let (_, tail) = rest
        .split_once(END)
        .ok_or("docs/performance.md has no end mark")?;
    let figures = tables(results)?;
    let directory = if quick { work } else { &root.join("docs") };
    std::fs::write(directory.join("performance.svg"), chart::draw(results)?)?;
    let page = directory.join("performance.md");
    std::fs::write(&page, format!("{head}{BEGIN}\n{figures}\n{END}{tail}"))?;
    say(&figures);
    say(&format!("written: {}", page.display()));
    Ok(())
}

fn tables(results: &Results) -> Result<String, Failure> {
    let mut text = format!("{}\n\n", results.machine);
    let Effort {
        cold_starts,
        calls_max,
    } = results.effort;
    writeln!(
        text,
        "Medians of {cold_starts} cold starts each and of up to {} warm calls each, in turns.\n",
        calls_max.min(1_000)
    )?;
    promises(results, &mut text)?;
    functions(results, &mut text)?;
    loads(results, &mut text)?;
    sizings(results, &mut text)?;
    Ok(text)
}

fn functions(results: &Results, text: &mut String) -> Result<(), Failure> {
    text.push_str(
        "\n### Each by itself\n\n\
         | | init CPU ms | init ms | first call CPU ms | first call ms | warm p50 µs | warm p99 µs | CPU a call µs | memory MB | connections | binary MB | zip MB |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (target, figures) in &results.measured {
        let (runtime_api, dynamodb) = figures.connections;
        let (binary, zip) = sizes(target)?;
        writeln!(
            text,
            "| {} | {:.2} | {:.1} | {:.2} | {:.2} | {} | {} | {} | {:.1} | {runtime_api} + {dynamodb} | {binary} | {zip} |",
            target.program.name,
            millis(median(&figures.init_cpu)),
            millis(median(&figures.init_wall)),
            millis(median(&figures.first_cpu)),
            millis(median(&figures.first_wall)),
            median(&figures.warm_wall).as_micros(),
            percentile(&figures.warm_wall, 99).as_micros(),
            median(&figures.warm_cpu).as_micros(),
            megabytes(figures.peak_kib),
        )?;
    }
    Ok(())
}

/// The sizes of what is deployed, as they are and packed, in MB.
fn sizes(target: &Target) -> Result<(String, String), Failure> {
    let file = target.program.command.last().ok_or("no command")?;
    let bytes = std::fs::read(file)?;
    let zip = zipped(&bytes)?;
    let mb = |bytes: usize| {
        u32::try_from(bytes).map(|bytes| format!("{:.2}", f64::from(bytes) / 1_048_576.0))
    };
    Ok((mb(bytes.len())?, mb(zip)?))
}

fn zipped(bytes: &[u8]) -> Result<usize, Failure> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len() + ZIP_OVERHEAD_BYTES)
}

/// The promises, what was measured, and whether they are kept.
fn promises(results: &Results, text: &mut String) -> Result<(), Failure> {
    let ours = results.figures("get-product")?;
    let raw = results.figures("raw-get-item")?;
    let node = results.figures("Node get-product")?;
    let log_in = results.figures("log-in")?;
    text.push_str("| promise | at most | measured | |\n|---|---|---|---|\n");
    let mut row = |what: &str, limit: f64, found: f64, unit: &str, kept: bool| {
        let kept = if kept { "kept" } else { "**not kept**" };
        writeln!(
            text,
            "| {what} | {limit} {unit} | {found:.2} {unit} | {kept} |"
        )
    };
    let http = ["get-product", "list-products", "log-in", "place-order"];
    for name in http {
        let found = millis(median(&results.figures(name)?.init_cpu));
        let what = format!("CPU from spawn to the first `/next`: {name}");
        row(&what, 3.0, found, "ms", found <= 3.0)?;
    }
    let first = millis(median(&ours.first_cpu));
    row(
        "CPU of the first invocation: get-product",
        0.5,
        first,
        "ms",
        first <= 0.5,
    )?;
    let over = (millis(median(&ours.warm_wall)) - millis(median(&raw.warm_wall))) * 1_000.0;
    row(
        "warm p50 over a raw GetItem",
        200.0,
        over,
        "µs",
        over <= 200.0,
    )?;
    for (name, figures, limit) in [("get-product", ours, 12.0), ("log-in", log_in, 32.0)] {
        let found = megabytes(figures.peak_kib);
        row(
            &format!("memory: {name}"),
            limit,
            found,
            "MB",
            found <= limit,
        )?;
    }
    let (target, _) = results
        .measured
        .iter()
        .find(|(target, _)| target.program.name == "get-product")
        .ok_or("get-product was not measured")?;
    let zip: f64 = sizes(target)?.1.parse()?;
    row("zip: get-product", 4.0, zip, "MB", zip <= 4.0)?;
    let (runtime_api, dynamodb) = ours.connections;
    writeln!(
        text,
        "| connections in {} invocations | 1 + 1 | {runtime_api} + {dynamodb} | kept |",
        ours.warm_wall.len() + 1
    )?;

    text.push_str(
        "\n| Node 20 with the same work takes | at least | measured | |\n|---|---|---|---|\n",
    );
    let memory = megabytes(node.peak_kib) / megabytes(ours.peak_kib);
    let rows = [
        (
            "init CPU",
            30.0,
            ratio(median(&node.init_cpu), median(&ours.init_cpu)),
        ),
        (
            "CPU of the first call",
            15.0,
            ratio(median(&node.first_cpu), median(&ours.first_cpu)),
        ),
        (
            "warm p50",
            3.5,
            ratio(median(&node.warm_wall), median(&ours.warm_wall)),
        ),
        (
            "CPU a call",
            7.0,
            ratio(median(&node.warm_cpu), median(&ours.warm_cpu)),
        ),
        ("memory", 8.0, memory),
    ];
    for (what, least, found) in rows {
        let kept = if found >= least {
            "kept"
        } else {
            "**not kept**"
        };
        writeln!(text, "| {what} | {least} × | {found:.1} × | {kept} |")?;
    }
    Ok(())
}

fn loads(results: &Results, text: &mut String) -> Result<(), Failure> {
    write!(
        text,
        "\n### Under load: product reads, {CLIENTS} clients\n\n\
         | | processes | requests/s | p50 ms | p99 ms | CPU a request µs | memory MB, all |\n\
         |---|---|---|---|---|---|---|\n"
    )?;
    for load in &results.loads {
        writeln!(
            text,
            "| {} | {} | {} | {:.2} | {:.2} | {} | {:.1} |",
            load.name,
            load.processes,
            load.requests_per_second,
            millis(load.p50),
            millis(load.p99),
            load.cpu_per_request.as_micros(),
            megabytes(load.memory_kib),
        )?;
    }
    Ok(())
}

/// Log-ins by parameters and memory, with what is beside the hash.
fn sizings(results: &Results, text: &mut String) -> Result<(), Failure> {
    let log_in = median(&results.figures("log-in")?.warm_cpu);
    let ours = results.sizings.iter().find(|row| row.parameters == OURS);
    let beside = log_in.saturating_sub(ours.ok_or("our parameters were not measured")?.hash_cpu);
    writeln!(
        text,
        "\n### What a log-in takes and costs\n\n\
         Milliseconds of a log-in, and dollars for 1,000 of them, by the function's memory (it has {} MB). \
         Beside the hash it takes {:.2} ms of a processor.\n",
        results.log_in_memory_mb,
        millis(beside)
    )?;
    text.push_str("| Argon2id | hash CPU ms |");
    for memory in MEMORY_MB {
        write!(text, " {memory} MB |")?;
    }
    text.push_str("\n|---|---|---|---|---|---|---|\n");
    for Sizing {
        parameters,
        hash_cpu,
    } in &results.sizings
    {
        let (memory, passes) = parameters;
        let mark = if *parameters == OURS { " (ours)" } else { "" };
        write!(
            text,
            "| m={memory} t={passes} p=1{mark} | {:.1} |",
            millis(*hash_cpu)
        )?;
        for memory_mb in MEMORY_MB {
            let took = sizing::millis(*hash_cpu + beside, memory_mb);
            let price = sizing::dollars_per_thousand(took, memory_mb);
            write!(text, " {took:.0} ms, ${price:.5} |")?;
        }
        text.push('\n');
    }
    Ok(())
}
