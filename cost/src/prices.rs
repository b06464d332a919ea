//! Prices, as `prices.json` has them: each with its unit and its source.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Error;

/// The file.
const FILE: &str = include_str!("../prices.json");

/// The price list.
#[derive(Clone, Debug, Deserialize)]
pub struct Prices {
    /// Where the prices are those of.
    pub region: String,
    /// Their currency.
    pub currency: String,
    /// When they were read.
    pub read: String,
    /// What they leave out.
    pub note: String,
    prices: BTreeMap<String, Price>,
}

/// The price of one thing.
#[derive(Clone, Debug, Deserialize)]
pub struct Price {
    /// What `per` units cost.
    pub usd: f64,
    /// How many units that is the price of.
    pub per: f64,
    /// What is counted.
    pub unit: String,
    /// The page that says so.
    pub source: String,
}

impl Prices {
    /// The prices in the tree.
    ///
    /// # Errors
    /// When the file does not read.
    pub fn read() -> Result<Self, Error> {
        Ok(serde_json::from_str(FILE)?)
    }

    /// A price by its name.
    ///
    /// # Errors
    /// When there is none.
    pub fn of(&self, name: &str) -> Result<&Price, Error> {
        let price = self.prices.get(name);
        price.ok_or_else(|| format!("prices.json has no {name}").into())
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = (&String, &Price)> {
        self.prices.iter()
    }
}

impl Price {
    /// What so many units cost.
    pub fn times(&self, quantity: f64) -> f64 {
        quantity * self.usd / self.per
    }

    /// The price in words: `$0.625 a 1,000,000`.
    pub fn in_words(&self) -> String {
        if self.per > 1.0 {
            format!("${} per {}", self.usd, crate::report::whole(self.per))
        } else {
            format!("${}", self.usd)
        }
    }
}
