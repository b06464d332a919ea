//! `docs/cost.md`: what a run found, between two markers.

use std::fmt::Write;

use crate::{
    Error, assumed,
    bill::{Bill, Line, Measurement, Specs, count, times},
    counts::Counts,
    gate::Figures,
    idle::Idle,
    pages::Page,
    prices::Prices,
    units::Units,
};

/// What is between these is written by the run; the rest by people.
pub const BEGIN: &str = "<!-- figures: written by `make cost UPDATE=1` -->";
/// The end of it.
pub const END: &str = "<!-- end of figures -->";

/// What a run says that was not made with a release build.
const DEBUG: &str =
    "**From a debug build: units and calls are right, milliseconds are far too long.**";

/// A whole number with commas.
pub fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A quantity with as many digits as say something.
fn quantity(number: f64) -> String {
    match number {
        _ if number >= 1_000.0 => whole(number),
        _ if (number - number.round()).abs() < 1e-9 => format!("{number:.0}"),
        _ if number >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.3}"),
    }
}

/// One bill, of so many of something.
pub struct Section<'a> {
    /// Its heading.
    pub title: &'a str,
    /// How many it is for.
    pub scale: f64,
    /// For one.
    pub bill: &'a Bill,
}

fn rows(text: &mut String, lines: &[Line], scale: f64, prices: &Prices) -> Result<(), Error> {
    writeln!(text, "| what | quantity | price | $ |\n|---|---|---|---|")?;
    for line in lines {
        let price = prices.of(line.price)?;
        writeln!(
            text,
            "| {} | {} {} | {} | {:.4} |",
            line.what,
            quantity(line.quantity * scale),
            price.unit,
            price.in_words(),
            line.usd * scale
        )?;
    }
    Ok(())
}

/// The bills.
///
/// # Errors
/// When a price is not known.
pub fn bills(sections: &[Section<'_>], prices: &Prices) -> Result<String, Error> {
    let mut text = String::new();
    for section in sections {
        let usd = section.bill.usd() * section.scale;
        writeln!(text, "\n### {}: ${usd:.2}\n", section.title)?;
        rows(&mut text, &section.bill.lines, section.scale, prices)?;
    }
    Ok(text)
}

/// What a month costs.
///
/// # Errors
/// When a price is not known.
pub fn month(idle: &Idle, prices: &Prices) -> Result<String, Error> {
    let mut text = String::new();
    writeln!(
        text,
        "\n### A month in which nobody comes: ${:.2}\n",
        idle.bill.usd()
    )?;
    rows(&mut text, &idle.bill.lines, 1.0, prices)?;
    if !idle.conditional.is_empty() {
        writeln!(text, "\nOnly when a parameter switches it on:\n")?;
        writeln!(text, "| condition | what | $ a month |\n|---|---|---|")?;
        for (condition, line) in &idle.conditional {
            writeln!(
                text,
                "| `{condition}` | {} × {} | {:.2} |",
                quantity(line.quantity),
                line.what,
                line.usd
            )?;
        }
    }
    for price in ["dynamodb-storage", "dynamodb-pitr", "logs-stored-gb"] {
        let price_of = prices.of(price)?;
        let (usd, unit) = (price_of.usd, &price_of.unit);
        writeln!(text, "\nBy what is kept: `{price}` ${usd} a {unit}.")?;
    }
    Ok(text)
}

/// Where the units of one order go.
///
/// # Errors
/// When writing fails.
pub fn units(title: &str, measured: &Measurement) -> Result<String, Error> {
    let mut text = format!("\n### Request units of {title}\n\n");
    writeln!(
        text,
        "| function | operation | table or index | write | read |\n|---|---|---|---|---|"
    )?;
    for (place, units) in &measured.counts.units {
        writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            place.function,
            place.operation,
            place.table.trim_start_matches("emporium-"),
            quantity(units.write / measured.times),
            quantity(units.read / measured.times)
        )?;
    }
    let Units { read, write } = measured.counts.total();
    writeln!(
        text,
        "| **all** | | | **{}** | **{}** |",
        quantity(write / measured.times),
        quantity(read / measured.times)
    )?;
    Ok(text)
}

/// How long functions run and what they call.
///
/// # Errors
/// When a function is not in the template.
pub fn milliseconds(title: &str, counts: &Counts, n: f64, specs: &Specs) -> Result<String, Error> {
    let mut text = format!("\n### Milliseconds of {title}\n\n");
    writeln!(
        text,
        "| function | runs | AWS calls a run | own work, measured ms | waiting, assumed ms |\n|---|---|---|---|---|"
    )?;
    for (label, time) in times(counts, specs)? {
        let runs = counts
            .invocations
            .get(&label)
            .map_or(0.0, |runs| count(runs));
        let calls = counts
            .calls
            .iter()
            .filter(|(call, _)| call.function == label);
        let calls: u64 = calls.map(|(_, count)| count).sum();
        writeln!(
            text,
            "| {label} | {} | {} | {:.1} | {:.1} |",
            quantity(runs / n),
            quantity(crate::bill::number(calls) / runs.max(1.0)),
            time.measured_ms,
            time.assumed_ms
        )?;
    }
    writeln!(
        text,
        "\nMeasured: the median of what a run of the release build takes on this machine without its calls, stretched by the \
         share of a processor that its memory has ({} MB: a whole one). Assumed: {} ms a call of DynamoDB, {} a transaction, \
         {} a mail, {} any other; and rounding up to a millisecond. Cold starts are not in it.",
        assumed::WHOLE_PROCESSOR_MB,
        assumed::DYNAMODB_CALL_MS,
        assumed::DYNAMODB_TRANSACTION_MS,
        assumed::SES_CALL_MS,
        assumed::OTHER_CALL_MS
    )?;
    Ok(text)
}

/// Pages at both sizes.
///
/// # Errors
/// When writing fails.
pub fn pages(pages: &[Page], small: usize, large: usize) -> Result<String, Error> {
    let number = |number: usize| u32::try_from(number).map_or(0.0, f64::from);
    let (small, large) = (whole(number(small)), whole(number(large)));
    let mut text = String::from("\n### Read units of a page of 20 products\n\n");
    writeln!(
        text,
        "| page | of {small} products | of {large} products |\n|---|---|---|"
    )?;
    for page in pages {
        writeln!(
            text,
            "| {} | {} ({} found) | {} ({} found) |",
            page.what, page.units_small, page.products_small, page.units_large, page.products_large
        )?;
    }
    Ok(text)
}

/// The headline.
///
/// # Errors
/// When writing fails.
pub fn headline(figures: &Figures) -> Result<String, Error> {
    let mut text = String::new();
    if cfg!(debug_assertions) {
        writeln!(text, "{DEBUG}")?;
    }
    writeln!(text, "\n| | $ |\n|---|---|")?;
    for (what, usd) in [
        (
            "1,000 orders, from placing to the mail",
            figures.usd_per_1000_orders,
        ),
        (
            "1,000 orders whose card is declined",
            figures.usd_per_1000_declined_orders,
        ),
        (
            "1,000,000 reads of a product",
            figures.usd_per_1000000_product_reads,
        ),
        (
            "1,000,000 pages of 20 products",
            figures.usd_per_1000000_product_pages,
        ),
        (
            "1,000 registrations, with the mail",
            figures.usd_per_1000_registrations,
        ),
        ("1,000 log-ins", figures.usd_per_1000_log_ins),
        ("a month in which nobody comes", figures.usd_per_idle_month),
    ] {
        writeln!(text, "| {what} | {usd:.2} |")?;
    }
    Ok(text)
}

/// The prices.
///
/// # Errors
/// When writing fails.
pub fn price_list(prices: &Prices) -> Result<String, Error> {
    let mut text = format!(
        "\n### Prices ({}, {}, read {})\n\n{}\n\n",
        prices.region, prices.currency, prices.read, prices.note
    );
    writeln!(text, "| price | $ | of | source |\n|---|---|---|---|")?;
    for (name, price) in prices.all() {
        writeln!(
            text,
            "| `{name}` | {} | {} | {} |",
            price.in_words(),
            price.unit,
            price.source
        )?;
    }
    Ok(text)
}

/// `docs/cost.md` with what is between the markers replaced.
///
/// # Errors
/// When a marker is missing.
pub fn replace(document: &str, figures: &str) -> Result<String, Error> {
    between(document, (BEGIN, END), &format!("\n{figures}\n"))
}

/// The README with its one sentence of what the shop costs.
///
/// # Errors
/// When a marker is missing.
pub fn readme(document: &str, figures: &Figures) -> Result<String, Error> {
    let sentence = format!(
        "A thousand orders cost ${:.2}, a million product pages ${:.2}, and a month in which nobody comes ${:.2}",
        figures.usd_per_1000_orders,
        figures.usd_per_1000000_product_pages,
        figures.usd_per_idle_month
    );
    between(document, ("<!-- cost -->", "<!-- end -->"), &sentence)
}

fn between(document: &str, (begin, end): (&str, &str), text: &str) -> Result<String, Error> {
    let missing = || Error::from("a document has lost a marker that make cost writes after");
    let (before, rest) = document.split_once(begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(end).ok_or_else(missing)?;
    Ok(format!("{before}{begin}{text}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_is_replaced() {
        let document = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let replaced = replace(&document, "new").unwrap();
        assert_eq!(replaced, format!("a\n{BEGIN}\nnew\n{END}\nb\n"));
        assert!(replace("a", "new").is_err());
    }

    #[test]
    fn the_readme_says_what_the_run_found() {
        let readme_of_tree = std::fs::read_to_string(crate::tree::root().join("README.md"));
        let figures = Figures {
            usd_per_1000_orders: 0.175,
            usd_per_1000000_product_pages: 3.5,
            usd_per_idle_month: 4.0,
            ..Figures::default()
        };
        let written = readme(&readme_of_tree.unwrap(), &figures).unwrap();
        assert!(written.contains("orders cost $0.17, a million product pages $3.50"));
        assert_eq!(readme(&written, &figures).unwrap(), written);
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(whole(1_234_567.0), "1,234,567");
        assert_eq!(whole(100.0), "100");
        assert_eq!(
            (quantity(0.5), quantity(20.0)),
            ("0.500".into(), "20".into())
        );
    }
}
