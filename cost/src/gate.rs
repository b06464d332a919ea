//! The gate: compares the figures of a run with the committed ones and with the
//! promised limits.

use serde::{Deserialize, Serialize};

use crate::{Error, pages::Page};

/// How much more an order may cost than the committed figure says.
const GROWTH_MAX: f64 = 0.10;
/// How many request units a page may differ between the two catalogues.
const PAGE_DIFFERENCE_MAX: f64 = 1.0;

/// Read units of reading a product.
pub const PRODUCT_READ_UNITS_MAX: f64 = 0.5;
/// Read units of a page of twenty products without filters.
pub const PAGE_READ_UNITS_MAX: f64 = 11.0;
/// Write units of an order of one line, from placing it to its mail. For what
/// they are, see docs/decisions/0009-what-an-order-writes.md.
pub const ORDER_WRITE_UNITS_MAX: f64 = 85.0;

/// The figures of a run: `docs/cost.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Figures {
    /// Dollars for 1,000 orders, each from placing it to its mail.
    pub usd_per_1000_orders: f64,
    /// Dollars for 1,000 orders whose card is declined.
    pub usd_per_1000_declined_orders: f64,
    /// Dollars for 1,000,000 reads of a product.
    pub usd_per_1000000_product_reads: f64,
    /// Dollars for 1,000,000 pages of 20 products.
    pub usd_per_1000000_product_pages: f64,
    /// Dollars for 1,000 registrations.
    pub usd_per_1000_registrations: f64,
    /// Dollars for 1,000 log-ins.
    pub usd_per_1000_log_ins: f64,
    /// Dollars for a month without customers.
    pub usd_per_idle_month: f64,
    /// Write units of an order.
    pub order_write_units: f64,
    /// Read units of an order.
    pub order_read_units: f64,
    /// Read units of a product.
    pub product_read_units: f64,
    /// Read units of a page of 20 products.
    pub product_page_read_units: f64,
}

impl Figures {
    /// Parses the committed figures.
    ///
    /// # Errors
    /// If the file is malformed.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Ok(serde_json::from_str(text)?)
    }
}

/// The violations of a run, in words.
pub fn violations(committed: &Figures, run: &Figures, pages: &[Page]) -> Vec<String> {
    let mut violations = Vec::new();
    let most = committed.usd_per_1000_orders * (1.0 + GROWTH_MAX);
    if run.usd_per_1000_orders > most {
        violations.push(format!(
            "1,000 orders cost ${:.4}, over 10 % more than the ${:.4} in docs/cost.json; \
             if this is intended, run `make cost UPDATE=1`",
            run.usd_per_1000_orders, committed.usd_per_1000_orders
        ));
    }
    for (what, units, most) in [
        (
            "read units of a product",
            run.product_read_units,
            PRODUCT_READ_UNITS_MAX,
        ),
        (
            "read units of a page of 20 products",
            run.product_page_read_units,
            PAGE_READ_UNITS_MAX,
        ),
        (
            "write units of an order",
            run.order_write_units,
            ORDER_WRITE_UNITS_MAX,
        ),
    ] {
        if units > most {
            violations.push(format!("{units} {what}, but at most {most} are promised"));
        }
    }
    violations.extend(page_violations(pages));
    violations
}

/// The pages whose cost depends on the size of the catalogue, in words.
pub fn page_violations(pages: &[Page]) -> Vec<String> {
    let grew = |page: &&Page| (page.units_small - page.units_large).abs() > PAGE_DIFFERENCE_MAX;
    let violation = |page: &Page| {
        format!(
            "a page ({}) costs {} read units in the small catalogue and {} in the large one",
            page.what, page.units_small, page.units_large
        )
    };
    pages.iter().filter(grew).map(violation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Figures {
        Figures {
            usd_per_1000_orders: 0.10,
            order_write_units: 60.0,
            product_read_units: 0.5,
            product_page_read_units: 10.5,
            ..Figures::default()
        }
    }

    fn page(small: f64, large: f64) -> Page {
        Page {
            what: "newest",
            units_small: small,
            units_large: large,
            products_small: 20.0,
            products_large: 20.0,
        }
    }

    #[test]
    fn a_run_with_the_committed_figures_passes() {
        assert_eq!(violations(&run(), &run(), &[page(10.5, 11.5)]), [""; 0]);
    }

    #[test]
    fn an_order_over_ten_percent_more_expensive_than_committed_fails() {
        let mut committed = run();
        committed.usd_per_1000_orders = 0.10 / 1.11;
        let found = violations(&committed, &run(), &[]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("1,000 orders"), "{found:?}");
        committed.usd_per_1000_orders = 0.10 / 1.09;
        assert_eq!(violations(&committed, &run(), &[]), [""; 0]);
    }

    #[test]
    fn exceeding_a_promised_limit_fails() {
        let mut expensive = run();
        expensive.product_read_units = 1.0;
        expensive.product_page_read_units = 11.5;
        expensive.order_write_units = 85.5;
        assert_eq!(violations(&run(), &expensive, &[]).len(), 3);
    }

    #[test]
    fn a_page_that_grows_with_the_catalogue_fails() {
        let found = violations(&run(), &run(), &[page(10.5, 10.5), page(10.5, 12.0)]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn the_committed_figures_can_be_parsed() {
        let text = std::fs::read_to_string(crate::tree::root().join("docs/cost.json")).unwrap();
        let committed = Figures::parse(&text).unwrap();
        assert!(committed.usd_per_1000_orders > 0.0);
    }
}
