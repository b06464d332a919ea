//! Writes the figures as tables between the markers in docs/performance.md.

use std::{fmt::Display, io::Write, path::Path, time::Duration};

use flate2::{Compression, write::DeflateEncoder};

use crate::{
    Error,
    load::{CLIENTS, Load},
    measure::{Figures, Repetitions, Target, median, percentile},
    print,
    sizing::{self, MEMORY_MB, OURS, Sizing},
};

const BEGIN: &str = "<!-- figures: written by make bench -->\n";
const END: &str = "<!-- end of figures -->\n";
/// What a zip archive adds to its one deflated file: two headers with the name,
/// and the end record.
const ZIP_OVERHEAD_BYTES: usize = 30 + 46 + 22 + 2 * "bootstrap".len();

/// Everything that was measured.
pub(crate) struct Report {
    pub(crate) machine: String,
    pub(crate) repetitions: Repetitions,
    pub(crate) measured: Vec<(Target, Figures)>,
    pub(crate) loads: Vec<Load>,
    pub(crate) sizings: Vec<Sizing>,
    pub(crate) log_in_memory_mb: u32,
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn megabytes(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1_024.0
}

/// A Markdown table.
fn table(header: &str, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let rule = "---|".repeat(header.matches('|').count() - 1);
    let rows = rows
        .into_iter()
        .map(|cells| format!("| {} |\n", cells.join(" | ")));
    format!("{header}\n|{rule}\n{}", rows.collect::<String>())
}

fn cells<const N: usize>(cells: [&dyn Display; N]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}

/// A row that compares a measurement with the promised limit.
fn promise(what: &str, limit: impl Display, found: impl Display, kept: bool) -> Vec<String> {
    let kept = if kept { "kept" } else { "**not kept**" };
    cells([&what, &limit, &found, &kept])
}

impl Report {
    /// Writes the figures into docs/performance.md, or a copy of it into another
    /// directory.
    pub(crate) fn write(&self, root: &Path, directory: Option<&Path>) -> Result<(), Error> {
        let docs = root.join("docs");
        let text = std::fs::read_to_string(docs.join("performance.md"))?;
        let missing = "docs/performance.md has lost a marker";
        let (head, rest) = text.split_once(BEGIN).ok_or(missing)?;
        let (_, tail) = rest.split_once(END).ok_or(missing)?;
        let figures = self.figures_as_text()?;
        let page = directory.unwrap_or(&docs).join("performance.md");
        std::fs::write(&page, format!("{head}{BEGIN}\n{figures}\n{END}{tail}"))?;
        print(&figures);
        print(&format!("written: {}", page.display()));
        Ok(())
    }

    fn figures_as_text(&self) -> Result<String, Error> {
        let Repetitions {
            cold_starts,
            calls_max,
        } = self.repetitions;
        Ok(format!(
            "{}\n\nMedians of {cold_starts} cold starts and of up to {} warm calls each, interleaved.\n\n\
             {}\n{}\n### Individual programs\n\n{}\n\
             ### Product reads under load, {CLIENTS} clients\n\n{}\n\
             ### Duration and cost of a log-in\n\n{}",
            self.machine,
            calls_max.min(1_000),
            self.promises()?,
            self.comparison()?,
            self.programs()?,
            self.loads(),
            self.log_in()?,
        ))
    }

    fn find(&self, name: &str) -> Result<&(Target, Figures), Error> {
        let mut measured = self.measured.iter();
        let found = measured.find(|(target, _)| target.program.name == name);
        found.ok_or_else(|| format!("{name} was not measured").into())
    }

    fn figures(&self, name: &str) -> Result<&Figures, Error> {
        self.find(name).map(|(_, figures)| figures)
    }

    fn promises(&self) -> Result<String, Error> {
        let (target, ours) = self.find("get-product")?;
        let mut rows = Vec::new();
        let mut row = |what: &str, limit: f64, found: f64, unit: &str| {
            let (limit_text, found_text) =
                (format!("{limit} {unit}"), format!("{found:.2} {unit}"));
            rows.push(promise(what, limit_text, found_text, found <= limit));
        };
        for name in ["get-product", "list-products", "log-in", "place-order"] {
            let found = millis(median(&self.figures(name)?.init_cpu));
            let what = format!("CPU from spawn to the first `/next`: {name}");
            row(&what, 3.0, found, "ms");
        }
        let first = millis(median(&ours.first_cpu));
        row("CPU of the first invocation: get-product", 0.5, first, "ms");
        let raw = median(&self.figures("raw-get-item")?.warm_wall);
        let over = (millis(median(&ours.warm_wall)) - millis(raw)) * 1_000.0;
        row("warm p50 above a raw GetItem", 200.0, over, "µs");
        for (name, limit) in [("get-product", 12.0), ("log-in", 32.0)] {
            let found = megabytes(self.figures(name)?.peak_kib);
            row(&format!("memory: {name}"), limit, found, "MB");
        }
        row("zip: get-product", 4.0, sizes_mb(target)?.1, "MB");
        let (runtime_api, dynamodb) = ours.connections;
        // A run with other connections has failed before.
        rows.push(promise(
            &format!("connections in {} invocations", ours.warm_wall.len() + 1),
            "1 + 1",
            format!("{runtime_api} + {dynamodb}"),
            true,
        ));
        Ok(table("| promise | at most | measured | |", rows))
    }

    fn comparison(&self) -> Result<String, Error> {
        let ours = self.figures("get-product")?;
        let node = self.figures("Node get-product")?;
        let ratio = |of: fn(&Figures) -> &[Duration]| {
            let (theirs, ours) = (median(of(node)), median(of(ours)));
            theirs.as_secs_f64() / ours.as_secs_f64().max(f64::MIN_POSITIVE)
        };
        let rows = [
            ("init CPU", 30.0, ratio(|one| &one.init_cpu)),
            ("CPU of the first call", 15.0, ratio(|one| &one.first_cpu)),
            ("warm p50", 3.5, ratio(|one| &one.warm_wall)),
            ("CPU per call", 7.0, ratio(|one| &one.warm_cpu)),
            (
                "memory",
                8.0,
                megabytes(node.peak_kib) / megabytes(ours.peak_kib),
            ),
        ];
        let rows = rows.map(|(what, least, found)| {
            promise(
                what,
                format!("{least} ×"),
                format!("{found:.1} ×"),
                found >= least,
            )
        });
        Ok(table(
            "| Node 20 for the same work | at least | measured | |",
            rows,
        ))
    }

    fn programs(&self) -> Result<String, Error> {
        let row = |(target, figures): &(Target, Figures)| -> Result<Vec<String>, Error> {
            let (runtime_api, dynamodb) = figures.connections;
            let (binary, zip) = sizes_mb(target)?;
            let ms = |values: &[Duration]| millis(median(values));
            Ok(cells([
                &target.program.name,
                &format_args!("{:.2}", ms(&figures.init_cpu)),
                &format_args!("{:.1}", ms(&figures.init_wall)),
                &format_args!("{:.2}", ms(&figures.first_cpu)),
                &format_args!("{:.2}", ms(&figures.first_wall)),
                &median(&figures.warm_wall).as_micros(),
                &percentile(&figures.warm_wall, 99).as_micros(),
                &median(&figures.warm_cpu).as_micros(),
                &format_args!("{:.1}", megabytes(figures.peak_kib)),
                &format_args!("{runtime_api} + {dynamodb}"),
                &format_args!("{binary:.2}"),
                &format_args!("{zip:.2}"),
            ]))
        };
        let rows: Result<Vec<_>, Error> = self.measured.iter().map(row).collect();
        Ok(table(
            "| | init CPU ms | init ms | first call CPU ms | first call ms | warm p50 µs | warm p99 µs \
             | CPU per call µs | memory MB | connections | binary MB | zip MB |",
            rows?,
        ))
    }

    fn loads(&self) -> String {
        let rows = self.loads.iter().map(|load| {
            cells([
                &load.name,
                &load.processes,
                &load.requests_per_second,
                &format_args!("{:.2}", millis(load.p50)),
                &format_args!("{:.2}", millis(load.p99)),
                &load.cpu_per_request.as_micros(),
                &format_args!("{:.1}", megabytes(load.memory_kib)),
            ])
        });
        table(
            "| | processes | requests/s | p50 ms | p99 ms | CPU per request µs | total memory MB |",
            rows,
        )
    }

    /// Log-ins by parameters and memory size. What a log-in does apart from
    /// hashing is the same in all of them.
    fn log_in(&self) -> Result<String, Error> {
        let ours = self.sizings.iter().find(|row| row.parameters == OURS);
        let ours = ours.ok_or("the shop's parameters were not measured")?;
        let log_in = median(&self.figures("log-in")?.warm_cpu);
        let rest = log_in.saturating_sub(ours.hash_cpu);
        let rows = self.sizings.iter().map(|sizing| {
            let (memory, passes) = sizing.parameters;
            let mark = if sizing.parameters == OURS {
                " (ours)"
            } else {
                ""
            };
            let mut row = cells([
                &format_args!("m={memory} t={passes} p=1{mark}"),
                &format_args!("{:.1}", millis(sizing.hash_cpu)),
            ]);
            row.extend(MEMORY_MB.map(|memory_mb| {
                let took = sizing::millis(sizing.hash_cpu + rest, memory_mb);
                let price = sizing::dollars_per_thousand(took, memory_mb);
                format!("{took:.0} ms, ${price:.5}")
            }));
            row
        });
        let sizes = MEMORY_MB.map(|memory| format!(" {memory} MB |")).concat();
        Ok(format!(
            "Milliseconds of a log-in, and dollars for 1,000 of them, by the function's memory size (in the template: {} MB). \
             Apart from hashing, a log-in takes {:.2} ms of processor time.\n\n{}",
            self.log_in_memory_mb,
            millis(rest),
            table(&format!("| Argon2id | hash CPU ms |{sizes}"), rows),
        ))
    }
}

/// The sizes of the binary and of its zip, in MB.
fn sizes_mb(target: &Target) -> Result<(f64, f64), Error> {
    let file = target.program.command.last().ok_or("no command")?;
    let bytes = std::fs::read(file)?;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&bytes)?;
    let zip = encoder.finish()?.len() + ZIP_OVERHEAD_BYTES;
    let mb = |bytes: usize| u32::try_from(bytes).map(|bytes| f64::from(bytes) / 1_048_576.0);
    Ok((mb(bytes.len())?, mb(zip)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_rule_as_wide_as_its_header() {
        let rows = [promise("zip", "4 MB", "4.10 MB", false)];
        assert_eq!(
            table("| promise | at most | measured | |", rows),
            "| promise | at most | measured | |\n|---|---|---|---|\n| zip | 4 MB | 4.10 MB | **not kept** |\n"
        );
    }
}
