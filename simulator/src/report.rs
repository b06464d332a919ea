//! What a campaign says: on the terminal, and in docs/reliability.md.

use std::{collections::BTreeMap, fmt::Write};

use crate::campaign::{BITES_WITHIN, Summary, Tooth};

/// The beginning and the end of what is written by a run; the rest is written by hand.
const BEGIN: &str = "<!-- written by `make simulate UPDATE=1` -->";
const END: &str = "<!-- end -->";
/// The most violations of one run that are listed.
const VIOLATIONS_MAX: usize = 6;
/// A UUID has so many dashes.
const DASHES_OF_ID: usize = 4;
const SECONDS_PER_HOUR: u64 = 3_600;

/// What was run.
#[derive(Clone, Debug)]
pub struct Header {
    /// The commit.
    pub commit: String,
    /// The weather.
    pub weather: &'static str,
    /// The first seed, and how many.
    pub seeds: (u64, u64),
}

impl Header {
    /// The command that replays a seed.
    pub fn replay(&self, seed: u64) -> String {
        let weather = match self.weather {
            "default" => String::new(),
            other => format!(" WEATHER={other}"),
        };
        format!("make simulate SEED={seed}{weather}")
    }
}

/// The lines of a campaign, for the terminal.
pub fn lines(header: &Header, summary: &Summary) -> Vec<String> {
    let (from, _) = header.seeds;
    let mut lines = vec![format!(
        "commit {}, weather {}, seeds {from} to {}, {} hours of the shop",
        header.commit,
        header.weather,
        from + summary.runs.saturating_sub(1),
        summary.took.as_secs() / SECONDS_PER_HOUR
    )];
    for (fault, count) in &summary.injected {
        lines.push(format!(
            "{:>9}  {fault}, in {} runs",
            count.times, count.runs
        ));
    }
    for (ending, count) in &summary.orders {
        lines.push(format!("{count:>9}  orders {ending}"));
    }
    for (status, count) in &summary.replies {
        lines.push(format!("{count:>9}  answers with status {status}"));
    }
    for outcome in &summary.found {
        lines.push(header.replay(outcome.seed));
        let violations = outcome.violations.iter();
        lines.extend(
            violations
                .take(VIOLATIONS_MAX)
                .map(|one| format!("    {one}")),
        );
    }
    for seed in &summary.differing {
        lines.push(format!(
            "seed {seed} does not replay: two runs of it differ"
        ));
    }
    lines.push(format!(
        "{} runs, {} with a violation; {} run twice, {} differ",
        summary.runs,
        summary.found.len(),
        summary.replayed,
        summary.differing.len()
    ));
    lines
}

/// The line of a tooth, for the terminal.
pub fn tooth(tooth: &Tooth) -> String {
    let safeguard = tooth.safeguard;
    match &tooth.bit {
        Some((seed, violation)) => {
            format!("without \"{safeguard}\", seed {seed} fails: {violation}")
        }
        None => format!("without \"{safeguard}\", {BITES_WITHIN} seeds pass: nothing checks it"),
    }
}

/// The page with its generated part written anew.
///
/// # Errors
/// When the page has no place for it.
pub fn page(
    page: &str,
    header: &Header,
    summary: &Summary,
    teeth: &[Tooth],
) -> Result<String, String> {
    let places = page.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) = places.ok_or_else(|| format!("the page has no {BEGIN} … {END}"))?;
    let written = generated(header, summary, teeth);
    Ok(format!("{before}{BEGIN}\n\n{written}\n{END}{after}"))
}

fn generated(header: &Header, summary: &Summary, teeth: &[Tooth]) -> String {
    let mut text = String::new();
    // Nothing fails to be written to a text.
    let mut line = |line: String| {
        let _ = writeln!(text, "{line}");
    };
    let orders: u64 = summary.orders.values().sum();
    line(format!(
        "{} runs, of which {} broke; {} were run twice, of which {} differed. In {} hours of the shop {orders} orders were placed: {}.",
        summary.runs,
        summary.found.len(),
        summary.replayed,
        summary.differing.len(),
        summary.took.as_secs() / SECONDS_PER_HOUR,
        listed(&summary.orders)
    ));
    line(format!(
        "Weather `{}`, seeds {} to {}.",
        header.weather,
        header.seeds.0,
        header.seeds.0 + summary.runs.saturating_sub(1)
    ));
    line(String::new());
    line("| what was injected | times | in runs |\n|---|---|---|".to_owned());
    for (fault, count) in &summary.injected {
        line(format!("| {fault} | {} | {} |", count.times, count.runs));
    }
    line(String::new());
    line("| safeguard taken away | first seed that fails | and how |\n|---|---|---|".to_owned());
    for tooth in teeth {
        let (seed, how) = match &tooth.bit {
            Some((seed, violation)) => (seed.to_string(), without_ids(violation)),
            None => ("none".to_owned(), String::new()),
        };
        line(format!("| {} | {seed} | {how} |", tooth.safeguard));
    }
    text
}

fn listed(counts: &BTreeMap<String, u64>) -> String {
    let listed = counts.iter().map(|(name, count)| format!("{count} {name}"));
    listed.collect::<Vec<_>>().join(", ")
}

/// A violation without its ids: they say nothing to a reader of the page.
fn without_ids(violation: &str) -> String {
    let words = violation.split(' ');
    let words = words.filter(|word| word.matches('-').count() < DASHES_OF_ID);
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_generated_part_of_the_page_changes() {
        let header = Header {
            commit: "abc".into(),
            weather: "default",
            seeds: (1, 3),
        };
        let old = format!("# Title\n\n{BEGIN}\nold\n{END}\nby hand\n");
        let new = page(&old, &header, &Summary::default(), &[]).unwrap();
        assert!(new.starts_with("# Title\n\n") && new.ends_with("by hand\n"));
        assert!(!new.contains("old"));
        let again = page(&new, &header, &Summary::default(), &[]).unwrap();
        assert_eq!(new, again);
        assert!(page("no place", &header, &Summary::default(), &[]).is_err());
    }

    #[test]
    fn a_seed_is_replayed_in_its_weather() {
        let mut header = Header {
            commit: String::new(),
            weather: "default",
            seeds: (1, 1),
        };
        assert_eq!(header.replay(7), "make simulate SEED=7");
        header.weather = "staff";
        assert_eq!(header.replay(7), "make simulate SEED=7 WEATHER=staff");
    }
}
