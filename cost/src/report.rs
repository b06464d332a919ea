//! Renders the figures of a run for docs/cost.md and the README.

use minijinja::{Environment, UndefinedBehavior, Value, syntax::SyntaxConfig, value::Serde};
use serde::Serialize;
use serde_json::json;

use crate::{
    Error, assumed,
    bill::{Bill, Line, Measurement, Specs, Time, count, number, times},
    gate::Figures,
    idle::Idle,
    pages::{self, Page},
    prices::Prices,
};

/// The run writes what is between these markers.
const COST_DOCUMENT: (&str, &str) = (
    "<!-- figures: written by `make cost UPDATE=1` -->",
    "<!-- end of figures -->",
);
const README: (&str, &str) = ("<!-- cost -->", "<!-- end -->");

/// The bill for a number of repetitions.
#[derive(Serialize)]
pub struct Section {
    title: &'static str,
    usd: f64,
    lines: Vec<Line>,
}

impl Section {
    /// Scales the bill for one repetition.
    pub fn new(title: &'static str, scale: f64, bill: &Bill) -> Self {
        let scaled = |line: &Line| Line {
            quantity: line.quantity * scale,
            usd: line.usd * scale,
            ..line.clone()
        };
        Self {
            title,
            usd: bill.usd() * scale,
            lines: bill.lines.iter().map(scaled).collect(),
        }
    }
}

/// Everything that is reported.
pub struct Report<'a> {
    /// The figures that the gate compares.
    pub figures: &'a Figures,
    /// The bills.
    pub bills: Vec<Section>,
    /// The cost of a month without customers.
    pub idle: &'a Idle,
    /// The measurement of an order.
    pub order: &'a Measurement,
    /// The cost of pages in both catalogues.
    pub pages: &'a [Page],
    /// The size of the large catalogue.
    pub large: usize,
    /// The functions.
    pub specs: &'a Specs,
    /// The prices.
    pub prices: &'a Prices,
}

#[derive(Serialize)]
struct FunctionRow<'a> {
    name: &'a str,
    invocations: f64,
    calls: f64,
    time: Time,
}

impl Report<'_> {
    /// Renders the report as Markdown.
    ///
    /// # Errors
    /// If a function is not in the template.
    pub fn render(&self) -> Result<String, Error> {
        let Measurement { times: n, counts } = self.order;
        let times = times(counts, self.specs)?;
        let functions = times.iter().map(|(label, time)| {
            let invocations = counts.invocations.get(label).map_or(0.0, |all| count(all));
            let calls = counts.calls.iter();
            let calls = calls.filter(|(call, _)| call.function == *label);
            let calls: u64 = calls.map(|(_, count)| count).sum();
            FunctionRow {
                name: label,
                invocations: invocations / n,
                calls: number(calls) / invocations.max(1.0),
                time: *time,
            }
        });
        let units = counts.units.iter();
        let units: Vec<_> = units.map(|(place, units)| (place, *units / *n)).collect();
        let context = json!({
            "debug": cfg!(debug_assertions),
            "figures": self.figures,
            "bills": self.bills,
            "idle": self.idle,
            "order": {
                "units": units,
                "total": self.order.units(),
                "functions": functions.collect::<Vec<_>>(),
            },
            "pages": self.pages,
            "catalogues": { "small": pages::SMALL, "large": self.large },
            "prices": self.prices,
            "assumed": {
                "whole_processor_mb": assumed::WHOLE_PROCESSOR_MB,
                "dynamodb_call_ms": assumed::DYNAMODB_CALL_MS,
                "dynamodb_transaction_ms": assumed::DYNAMODB_TRANSACTION_MS,
                "ses_call_ms": assumed::SES_CALL_MS,
                "other_call_ms": assumed::OTHER_CALL_MS,
            },
        });
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?;
        environment.set_syntax(syntax);
        environment.add_filter("quantity", quantity);
        environment.add_filter("number", |number: f64| number.to_string());
        environment.add_filter("fixed", |number: f64, digits: usize| {
            format!("{number:.digits$}")
        });
        environment.add_filter("price", price);
        environment.add_template("report", include_str!("report.md.j2"))?;
        Ok(environment.get_template("report")?.render(Serde(context))?)
    }
}

/// A price in dollars, such as `$0.625 per 1,000,000`.
fn price(price: &Value) -> Result<String, minijinja::Error> {
    let usd = f64::try_from(price.get_attr("usd")?)?;
    let per = f64::try_from(price.get_attr("per")?)?;
    Ok(match per > 1.0 {
        true => format!("${usd} per {}", whole(per)),
        false => format!("${usd}"),
    })
}

/// A whole number with thousands separators.
fn whole(number: f64) -> String {
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

/// A quantity with as many digits as are significant.
fn quantity(number: f64) -> String {
    match number {
        _ if number >= 1_000.0 => whole(number),
        _ if (number - number.round()).abs() < 1e-9 => format!("{number:.0}"),
        _ if number >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.3}"),
    }
}

/// Replaces the figures in docs/cost.md.
///
/// # Errors
/// If a marker is missing.
pub fn update_document(document: &str, report: &str) -> Result<String, Error> {
    replace_between(document, COST_DOCUMENT, &format!("\n{}\n", report.trim()))
}

/// Replaces the sentence about the cost in the README.
///
/// # Errors
/// If a marker is missing.
pub fn update_readme(document: &str, figures: &Figures) -> Result<String, Error> {
    let sentence = format!(
        "A thousand orders cost ${:.2}, a million product pages ${:.2}, and a month without customers ${:.2}",
        figures.usd_per_1000_orders,
        figures.usd_per_1000000_product_pages,
        figures.usd_per_idle_month
    );
    replace_between(document, README, &sentence)
}

fn replace_between(
    document: &str,
    (begin, end): (&str, &str),
    text: &str,
) -> Result<String, Error> {
    let missing = |marker: &str| Error::from(format!("the marker `{marker}` is missing"));
    let (before, rest) = document.split_once(begin).ok_or_else(|| missing(begin))?;
    let (_, after) = rest.split_once(end).ok_or_else(|| missing(end))?;
    Ok(format!("{before}{begin}{text}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_between_the_markers_is_replaced() {
        let (begin, end) = COST_DOCUMENT;
        let document = format!("a\n{begin}\nold\n{end}\nb\n");
        let updated = update_document(&document, "new").unwrap();
        assert_eq!(updated, format!("a\n{begin}\nnew\n{end}\nb\n"));
        assert!(update_document("a", "new").is_err());
    }

    #[test]
    fn the_readme_gets_the_figures_of_the_run() {
        let readme = std::fs::read_to_string(crate::tree::root().join("README.md")).unwrap();
        let figures = Figures {
            usd_per_1000_orders: 0.175,
            usd_per_1000000_product_pages: 3.5,
            usd_per_idle_month: 4.0,
            ..Figures::default()
        };
        let updated = update_readme(&readme, &figures).unwrap();
        assert!(updated.contains("orders cost $0.17, a million product pages $3.50"));
        assert_eq!(update_readme(&updated, &figures).unwrap(), updated);
    }

    #[test]
    fn numbers_have_separators_and_significant_digits() {
        assert_eq!(whole(1_234_567.0), "1,234,567");
        assert_eq!(whole(100.0), "100");
        assert_eq!(quantity(0.5), "0.500");
        assert_eq!(quantity(20.0), "20");
    }

    #[test]
    fn a_report_has_every_table() {
        let prices = Prices::read().unwrap();
        let mut bill = Bill::default();
        bill.add(&prices, "SES: mails", 1.0, "ses-mail").unwrap();
        let idle = Idle {
            bill: bill.clone(),
            conditional: vec![("Traced".to_owned(), bill.lines[0].clone())],
        };
        let report = Report {
            figures: &Figures::default(),
            bills: vec![Section::new("1,000 orders", 1_000.0, &bill)],
            idle: &idle,
            order: &Measurement {
                times: 1.0,
                counts: crate::counts::Counts::default(),
            },
            pages: &[],
            large: 100_000,
            specs: &Specs::default(),
            prices: &prices,
        };
        let text = report.render().unwrap();
        for row in [
            "### 1,000 orders: $0.10\n\n| item | quantity | price | $ |\n|---|---|---|---|\n\
             | SES: mails | 1,000 mail | $0.1 per 1,000 | 0.1000 |\n\n### A month",
            "\n| `Traced` | 1 × SES: mails | 0.00 |\n\nStorage is billed on top: `dynamodb-storage` $0.25",
            "cost `cloudfront-request` $1.00, `cloudfront-function` $0.10, `waf-request` $0.60 on top, \
             and `cloudfront-out-gb` $0.085 a GB replaces `transfer-out-gb`.\n\n### Request units",
            "| **all** | | | **0** | **0** |\n\n### Durations",
            "| page | of 1,000 products | of 100,000 products |\n",
            "\n| `ses-mail` | $0.1 per 1,000 | mail | https://aws.amazon.com/ses/pricing/ |\n",
        ] {
            assert!(text.contains(row), "{row}\n---\n{text}");
        }
    }
}
