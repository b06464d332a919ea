//! How far a check has come, and what it has found.

use std::{collections::BTreeMap, io::ErrorKind, path::Path};

use kernel::{Money, OrderId, ProductId, Timestamp};
use runtime::Error;
use serde::{Deserialize, Serialize};

use super::{FINDINGS_MAX, Finding, GRACE, Held, pages::After};
use crate::facts::KEPT;

/// The tables in the order in which they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    Orders,
    Payments,
    Catalog,
    /// The products whose numbers differed from their reservations, once more.
    Held,
    Outbox,
    Contradictions,
    Done,
}

/// The state of a check, as it is saved.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    pub started_at: Timestamp,
    pub pass: Pass,
    pub after: Option<After>,
    pub orders: u64,
    pub payments: u64,
    pub products: u64,
    pub reservations: u64,
    pub units: Units,
    /// By how much the numbers of products exceed their reservations, on the pages
    /// so far, where they differ.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<ProductId, Held>,
    /// Products that changed whenever they were compared with their reservations.
    #[serde(default)]
    pub not_compared: u64,
    /// The totals of confirmed orders.
    pub confirmed: Sums,
    /// What was captured for them.
    pub captured: Sums,
    pub findings: Vec<Finding>,
}

/// Pieces of all products.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Units {
    pub available: i64,
    pub held: i64,
    pub sold: i64,
    /// Available, or held by the products' own numbers.
    #[serde(default)]
    pub on_hand: i64,
}

/// Amounts in minor units, by currency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sums(pub BTreeMap<String, i128>);

impl Sums {
    pub(super) fn add(&mut self, money: Money) {
        let currency = money.currency().code().to_owned();
        *self.0.entry(currency).or_default() += i128::from(money.minor());
    }
}

impl Position {
    pub fn begin(now: Timestamp) -> Self {
        Self {
            started_at: now,
            pass: Pass::Orders,
            after: None,
            orders: 0,
            payments: 0,
            products: 0,
            reservations: 0,
            units: Units::default(),
            held: BTreeMap::new(),
            not_compared: 0,
            confirmed: Sums::default(),
            captured: Sums::default(),
            findings: Vec::new(),
        }
    }

    /// Whether an order is part of the sums of money: old enough that nothing happens
    /// to it any more, and young enough that its payment is kept. An order's id has
    /// its time.
    pub(super) fn counts(&self, id: OrderId) -> bool {
        let seconds = id.as_uuid().get_timestamp().map(|time| time.to_unix().0);
        let placed = seconds.and_then(|seconds| i64::try_from(seconds).ok());
        let ago = |period| {
            let then = self.started_at.saturating_sub(period);
            then.map(Timestamp::as_second)
        };
        let (Some(placed), Ok(first), Ok(last)) = (placed, ago(KEPT), ago(GRACE)) else {
            return false;
        };
        (first..last).contains(&placed)
    }

    pub(super) fn find(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    pub(super) fn find_all(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            self.find(finding);
        }
    }

    /// Moves behind a page: to the next one, or to the next table.
    pub(super) fn advance(&mut self, after: Option<After>) {
        if after.is_none() {
            self.pass = match self.pass {
                Pass::Orders => Pass::Payments,
                Pass::Payments => {
                    if self.confirmed != self.captured {
                        self.find(Finding::money_differs(&self.confirmed, &self.captured));
                    }
                    Pass::Catalog
                }
                Pass::Catalog => Pass::Held,
                Pass::Held => Pass::Outbox,
                Pass::Outbox => Pass::Contradictions,
                Pass::Contradictions | Pass::Done => Pass::Done,
            };
        }
        self.after = after;
    }

    pub(super) fn load(file: &Path) -> Result<Option<Self>, Error> {
        match std::fs::read(file) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Replaces the file in one step, so that it is whole whenever this dies.
    pub(super) fn save(&self, file: &Path) -> Result<(), Error> {
        let temporary = file.with_extension("tmp");
        std::fs::write(&temporary, serde_json::to_vec(self)?)?;
        std::fs::rename(&temporary, file)?;
        Ok(())
    }

    pub(super) fn remove(file: &Path) -> Result<(), Error> {
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}
