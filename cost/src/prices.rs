//! The prices in `prices.json`, each with its unit and its source.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Error;

const FILE: &str = include_str!("../prices.json");

/// The price list.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Prices {
    /// The region that they apply to.
    pub region: String,
    /// Their currency.
    pub currency: String,
    /// The date on which they were looked up.
    pub read: String,
    /// What they do not include.
    pub note: String,
    prices: BTreeMap<String, Price>,
}

/// One price.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Price {
    /// The price of `per` units.
    pub usd: f64,
    /// The number of units that it is for.
    pub per: f64,
    /// The unit.
    pub unit: String,
    /// The page that states it.
    pub source: String,
}

impl Prices {
    /// Reads the file.
    ///
    /// # Errors
    /// If it is malformed.
    pub fn read() -> Result<Self, Error> {
        Ok(serde_json::from_str(FILE)?)
    }

    /// Looks up a price by name.
    ///
    /// # Errors
    /// If there is none.
    pub fn of(&self, name: &str) -> Result<&Price, Error> {
        let price = self.prices.get(name);
        price.ok_or_else(|| format!("prices.json has no {name}").into())
    }
}

impl Price {
    /// The price of a quantity, in dollars.
    pub fn times(&self, quantity: f64) -> f64 {
        quantity * self.usd / self.per
    }
}
