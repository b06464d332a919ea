//! The gate: figures of a run against those in the tree, and against what is
//! promised.

use serde::{Deserialize, Serialize};

use crate::{Error, pages::Page};

/// How much dearer an order may be than the figure in the tree.
const GROWTH_MAX: f64 = 0.10;
/// Request units by which a page may differ between a small and a large catalogue.
const PAGE_DIFFERENCE_MAX: f64 = 1.0;

/// Read units of a product that is shown.
pub const PRODUCT_READ_UNITS_MAX: f64 = 0.5;
/// Read units of a page of twenty products without filters.
pub const PAGE_READ_UNITS_MAX: f64 = 11.0;
/// Write units of an order of one line, from placing it to the mail. Where they
/// go, and what fewer would take: docs/decisions/0009-what-an-order-writes.md.
pub const ORDER_WRITE_UNITS_MAX: f64 = 73.0;

/// The figures of a run: `docs/cost.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Figures {
    /// Dollars for 1,000 orders, each from placing it to the mail.
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
    /// Dollars for a month in which nobody comes.
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
    /// Reads a file of them.
    ///
    /// # Errors
    /// When it does not read.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Ok(serde_json::from_str(text)?)
    }
}

/// What of a run is not as it must be, each in a sentence.
pub fn faults(tree: &Figures, run: &Figures, pages: &[Page]) -> Vec<String> {
    let mut faults = Vec::new();
    let most = tree.usd_per_1000_orders * (1.0 + GROWTH_MAX);
    if run.usd_per_1000_orders > most {
        faults.push(format!(
            "1,000 orders cost ${:.4}, over 10 % more than ${:.4} in docs/cost.json; \
             if that is meant, write the new figure: make cost UPDATE=1",
            run.usd_per_1000_orders, tree.usd_per_1000_orders
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
            faults.push(format!("{units} {what}, and {most} are promised"));
        }
    }
    faults.extend(page_faults(pages));
    faults
}

/// What of the pages is not as it must be.
pub fn page_faults(pages: &[Page]) -> Vec<String> {
    let grew = |page: &&Page| (page.units_small - page.units_large).abs() > PAGE_DIFFERENCE_MAX;
    let fault = |page: &Page| {
        format!(
            "a page ({}) costs {} read units of the small catalogue and {} of the large one",
            page.what, page.units_small, page.units_large
        )
    };
    pages.iter().filter(grew).map(fault).collect()
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
    fn a_run_like_the_tree_passes() {
        assert_eq!(faults(&run(), &run(), &[page(10.5, 11.5)]), [""; 0]);
    }

    #[test]
    fn an_order_that_is_a_tenth_dearer_than_the_tree_fails() {
        let mut tree = run();
        tree.usd_per_1000_orders = 0.10 / 1.11;
        let found = faults(&tree, &run(), &[]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("1,000 orders"), "{found:?}");
        tree.usd_per_1000_orders = 0.10 / 1.09;
        assert_eq!(faults(&tree, &run(), &[]), [""; 0]);
    }

    #[test]
    fn what_is_promised_is_held() {
        let mut dear = run();
        dear.product_read_units = 1.0;
        dear.product_page_read_units = 11.5;
        dear.order_write_units = 73.5;
        assert_eq!(faults(&run(), &dear, &[]).len(), 3);
    }

    #[test]
    fn a_page_that_grows_with_the_catalogue_fails() {
        let found = faults(&run(), &run(), &[page(10.5, 10.5), page(10.5, 12.0)]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn the_figures_in_the_tree_read() {
        let text = std::fs::read_to_string(crate::tree::root().join("docs/cost.json")).unwrap();
        let tree = Figures::parse(&text).unwrap();
        assert!(tree.usd_per_1000_orders > 0.0);
    }
}
